"""Verifying one checkpoint: the climb, the controls, the evidence, the status that it earns."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.cache import reading
from zoo.convert import provenance
from zoo.convert.provenance import Provenance
from zoo.convert.select import Opened
from zoo.errors import DigestError, UsageError, ZooError
from zoo.files import missing
from zoo.manifest import Manifest, Top1Claim, registry
from zoo.talk import Talk
from zoo.verify import evidence
from zoo.verify.bench import Bench
from zoo.verify.controls import Caught, self_test
from zoo.verify.environment import describe
from zoo.verify.evaluation import Wish, find_material
from zoo.verify.evidence import EVIDENCE_NAME, STATUSES, Evidence, Status, Subject
from zoo.verify.ladder import climb, number
from zoo.verify.locate import locate_source
from zoo.verify.outcome import Outcome
from zoo.verify.rungs.files import stamps


@dataclass(frozen=True, kw_only=True)
class Result:
    """What a run over the ladder showed of one checkpoint."""

    folder: Path
    evidence: Evidence
    outcomes: Mapping[str, Outcome]
    controls: tuple[Caught, ...]
    manifest: Manifest | None
    status: Status


def verify(
    folder: Path,
    *,
    source: str | None,
    upto: str,
    zero_shot: Wish | None = None,
    controls: bool,
    command: list[str],
    talk: Talk,
) -> Result:
    """Climbs the ladder with one converted checkpoint and leaves the evidence beside it.

    Args:
        folder: the converted checkpoint.
        source: what it was converted from, as SOURCE; None: where its provenance says.
        upto: the highest rung to try.
        zero_shot: what rung 6 is to measure, where it is asked for.
        controls: whether to run the negative controls too.
        command: what the user typed, for the record.
        talk: progress.

    Raises:
        NotFoundError: the folder is no converted checkpoint, or ``source`` or a named data set is
            not there.
        DatasetError: the data set is not what it should be.
        DigestError: the checkpoint or its source changed meanwhile, or another took its place.
        DiskError, AccessError: the evidence can't be written.
    """
    with ExitStack() as stack:
        stack.enter_context(reading(folder, talk.say))
        before = stamps(folder)  # before anything of it is read
        record = _record(folder)
        manifest = None if record is None else registry().names.get(record.id)
        claim = None if manifest is None else manifest.judged_claim
        material = "not asked for" if zero_shot is None else find_material(zero_shot, record)
        opened = locate_source(folder, record, source)
        if isinstance(opened, Opened):
            stack.enter_context(opened.checkpoint)
        work = stack.enter_context(TemporaryDirectory(prefix="zoo-verify-"))
        bench = Bench(
            folder,
            record=record,
            source=opened,
            manifest=manifest,
            material=material,
            work=Path(work),
            talk=talk,
        )
        stack.callback(bench.close)
        outcomes = climb(bench, upto)
        caught = tuple(self_test(bench, outcomes, talk)) if controls else ()
        unknown = Subject(id=folder.name, tensors_digest="", config_digest="")
        subject = unknown if record is None else Subject.of(record)
        if record is not None and stamps(folder) != before:
            raise DigestError(
                "the checkpoint changed while it was verified, and no evidence is left of it",
                where=folder,
                remedy="Run again when nothing writes to it.",
            )
        if isinstance(opened, Opened):
            opened.checkpoint.check_unchanged()  # rung 3 read it, and then the reference
        found = evidence.seal(
            subject=subject,
            environment={**describe(), **bench.environment},
            command=command,
            rungs=number(outcomes),
        )
        if record is not None:
            _keep(folder / EVIDENCE_NAME, found, claim)
    return Result(
        folder=folder,
        evidence=found,
        outcomes=outcomes,
        controls=caught,
        manifest=manifest,
        status=evidence.status(found, subject=subject, top1_claim=claim),
    )


def record(result: Result) -> Path:
    """Keeps a result as evidence of the zoo's own: ``manifests/evidence/<id>.json``.

    Raises:
        UsageError: the model is not in the zoo, its weights are not from where the manifest says,
            or this is no checkout.
        NotFoundError, DigestError: its provenance can't be read.
    """
    folder = registry().folder
    if result.manifest is None or folder.name != "manifests":
        raise UsageError("--record is for the zoo's own models, in a checkout of zoo")
    source = result.manifest.source
    repo = provenance.read(result.folder).source.repo
    if repo is None or repo not in (source.hub, source.paddlemix):
        raise UsageError(
            f"--record is for weights from {source.hub}; these are from {repo or 'a local folder'}",
            where=result.folder,
            remedy=f"Convert what the manifest names: zoo convert {result.manifest.id}",
        )
    path = folder / "evidence" / f"{result.manifest.id}.json"
    evidence.write(path, result.evidence)
    return path


def _record(folder: Path) -> Provenance | None:
    """The provenance; None when it is damaged, which is for rung 1 to say."""
    if not folder.is_dir():
        raise missing(folder, "folder")
    try:
        return provenance.read(folder)
    except DigestError:
        return None


def _keep(path: Path, found: Evidence, claim: Top1Claim | None) -> None:
    """Writes evidence, unless a climb that shows less would replace the record of one that showed
    more: a shorter one, or one on a part of the data."""
    failed = any(rung.status == "fail" for rung in found.rungs)
    if path.is_file() and not failed:
        try:
            before = evidence.read(path)
        except ZooError:
            before = None
        same = before is not None and before.subject == found.subject
        if same and before is not None and _worth(before, claim) > _worth(found, claim):
            return
    evidence.write(path, found)


def _worth(found: Evidence, claim: Top1Claim | None) -> tuple[int, int]:
    """What evidence shows of its subject, to be compared."""
    reached = evidence.status(found, subject=found.subject, top1_claim=claim)
    return STATUSES.index(reached), found.height
