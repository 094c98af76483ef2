"""Where a model stands: all evidence about it that lies on this machine, and what it is worth.

Evidence beside a converted checkpoint must be about that checkpoint, as its provenance has it, and
the checkpoint must look like the one of that provenance: to read all of it is rung 1's work and
takes minutes. Recorded evidence comes with the manifests and without a checkpoint: it speaks for
the tensors it names itself.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from zoo import cache
from zoo.convert import provenance
from zoo.convert.provenance import PROVENANCE_NAME, Provenance
from zoo.errors import ZooError
from zoo.files import sha256_file
from zoo.manifest import Manifest, Registry, Top1Claim
from zoo.spec.native import CONFIG_NAME
from zoo.verify.evidence import EVIDENCE_NAME, STATUSES, Evidence, Status, Subject, read, status

SAMPLE = 1 << 16  # elements of the smallest tensors, which are compared at every look


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place with evidence; ``problem`` says why what lies there counts for nothing."""

    where: Path
    status: Status
    evidence: Evidence | None = None
    problem: str | None = None


def findings(registry: Registry, manifest: Manifest) -> tuple[Finding, ...]:
    """The recorded evidence, then each converted checkpoint's in the cache; may be empty."""
    recorded = registry.folder / "evidence" / f"{manifest.id}.json"
    found = [_recorded(recorded, manifest)] if recorded.is_file() else []
    return (*found, *findings_here(manifest.id, manifest.judged_claim))


def findings_here(model: str, claim: Top1Claim | None) -> tuple[Finding, ...]:
    """The evidence beside each conversion in the cache, of a model of the zoo or of another.

    Args:
        model: its id.
        claim: what rung 6 was to be judged against, if anything is claimed.
    """
    return tuple(finding_beside(folder, model, claim) for folder in cache.converted(model))


def standing(found: Iterable[Finding]) -> Status:
    """The highest status that any evidence supports."""
    return max((finding.status for finding in found), key=STATUSES.index, default=STATUSES[0])


def _recorded(path: Path, manifest: Manifest) -> Finding:
    try:
        evidence = read(path)
    except ZooError as error:
        return _worthless(path, error.what)
    if evidence.subject.id != manifest.id:
        return _worthless(path, f"it is about {evidence.subject.id}")
    return _judged(path, manifest.judged_claim, evidence, evidence.subject)


def finding_beside(folder: Path, model: str, claim: Top1Claim | None) -> Finding:
    """The evidence beside one converted checkpoint; ``model`` and ``claim`` as in
    ``findings_here``."""
    path = folder / EVIDENCE_NAME
    if not path.is_file():
        return _worthless(folder, "not verified yet")
    try:
        evidence = read(path)
    except ZooError as error:
        return _worthless(path, error.what)
    try:
        record = provenance.read(folder)
        altered = _altered(folder, record)
    except (ZooError, OSError) as error:
        what = error.what if isinstance(error, ZooError) else str(error.strerror)
        return _worthless(path, f"{PROVENANCE_NAME} and what it lists can't be relied on: {what}")
    if record.id != model:
        return _worthless(path, f"this is {record.id}, in another model's place")
    if (unlike := evidence.subject.unlike(Subject.of(record))) is not None:
        return _worthless(path, f"it is {unlike}")
    if altered is not None:
        return _worthless(path, f"{altered} is not the one that was verified")
    return _judged(path, claim, evidence, evidence.subject)


def _altered(folder: Path, record: Provenance) -> str | None:
    """What has visibly become of a checkpoint since it was written: every file's size, the
    configuration and the smallest tensors are looked at.

    Raises:
        ZooError, OSError: the weights can't be opened.
    """
    for file in record.files:
        path = folder / file.name
        if not path.is_file() or path.stat().st_size != file.size:
            return file.name
    if sha256_file(folder / CONFIG_NAME) != record.config_digest:
        return CONFIG_NAME
    from zoo.convert.native import open_native  # brings numpy, which `zoo list` else does without

    seen = 0
    with open_native(folder) as checkpoint:
        by_size = sorted(checkpoint.tensors.items(), key=lambda item: math.prod(item[1].shape))
        for name, info in by_size:
            seen += math.prod(info.shape)
            if seen > SAMPLE:
                break
            stated = record.tensors.get(name)
            found = hashlib.sha256(checkpoint.tensor(name).tobytes()).hexdigest()
            if stated is None or stated.sha256 != found:
                return f"the tensor {name}"
    return None


def _judged(path: Path, claim: Top1Claim | None, evidence: Evidence, subject: Subject) -> Finding:
    reached = status(evidence, subject=subject, top1_claim=claim)
    return Finding(where=path, status=reached, evidence=evidence)


def _worthless(where: Path, problem: str) -> Finding:
    return Finding(where=where, status=STATUSES[0], problem=problem)
