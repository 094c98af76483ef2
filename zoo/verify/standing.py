"""Where a model stands: all evidence about it that lies on this machine, and what it is worth.

Evidence beside a converted checkpoint must be about that checkpoint's tensors. Recorded evidence
comes with the manifests and without a checkpoint: it speaks for the tensors it names itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from zoo import cache
from zoo.convert.provenance import PROVENANCE_NAME
from zoo.errors import ZooError
from zoo.files import read_record
from zoo.manifest import Manifest, Registry, Top1Claim
from zoo.verify.evidence import EVIDENCE_NAME, STATUSES, Evidence, Status, read, status


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One place with evidence; ``problem`` says why what lies there counts for nothing."""

    where: Path
    status: Status
    evidence: Evidence | None = None
    problem: str | None = None


class _Provenance(msgspec.Struct):
    """The one field that is needed here; whether the file is sound is for rung 1 to say."""

    tensors_digest: str


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
    return tuple(finding_beside(folder, claim) for folder in cache.converted(model))


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
    return _judged(path, manifest.judged_claim, evidence, evidence.subject.tensors_digest)


def finding_beside(folder: Path, claim: Top1Claim | None) -> Finding:
    """The evidence beside one converted checkpoint; ``claim`` as in ``findings_here``."""
    path = folder / EVIDENCE_NAME
    if not path.is_file():
        return _worthless(folder, "converted here, and not verified yet")
    try:
        evidence = read(path)
        data = read_record(folder / PROVENANCE_NAME)
        tensors_digest = msgspec.json.decode(data, type=_Provenance).tensors_digest
    except ZooError as error:
        return _worthless(path, error.what)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _worthless(path, f"there is no readable {PROVENANCE_NAME} beside it")
    if evidence.subject.tensors_digest != tensors_digest:
        return _worthless(path, "it is about other tensors than those beside it")
    return _judged(path, claim, evidence, tensors_digest)


def _judged(
    path: Path, claim: Top1Claim | None, evidence: Evidence, tensors_digest: str
) -> Finding:
    reached = status(evidence, tensors_digest=tensors_digest, top1_claim=claim)
    return Finding(where=path, status=reached, evidence=evidence)


def _worthless(where: Path, problem: str) -> Finding:
    return Finding(where=where, status=STATUSES[0], problem=problem)
