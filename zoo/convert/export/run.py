"""Exporting: the story on one screen."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from zoo.convert import provenance
from zoo.convert.assemble import tensor_records, to_write
from zoo.convert.export import TARGETS
from zoo.convert.export.target import Advance, Target, write_folder
from zoo.convert.native import open_native
from zoo.convert.plan import Plan
from zoo.convert.provenance import PROVENANCE_NAME, FileRecord, Provenance, SourceRecord
from zoo.convert.readers import Checkpoint
from zoo.convert.select import is_converted
from zoo.convert.stream import Tensor
from zoo.convert.tables import digest
from zoo.errors import DigestError, MappingError, NotFoundError, PathError
from zoo.files import check_space, check_target, locked, new_folder, sha256_file
from zoo.spec import CLIPSpec, native
from zoo.spec.layout import native_shapes
from zoo.talk import Talk
from zoo.version import VERSION


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One export, planned and checked; no tensor has been read."""

    folder: Path
    record: Provenance | None  # None: the checkpoint was trained, not converted
    target: Target
    spec: CLIPSpec
    plan: Plan
    tensors: list[Tensor]

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)


def export(
    folder: Path, out: Path, *, to: str, force: bool, command: tuple[str, ...], talk: Talk
) -> Path:
    """Writes a converted checkpoint as the folder of another library.

    Args:
        folder: the checkpoint.
        out: the folder that will appear, whole, or not at all.
        to: whose; a key of ``TARGETS``.
        force: replace what is at ``out``.
        command: what the user typed, for the record.
        talk: where to say what happens, and what the library would compute otherwise.

    Returns:
        ``out``.

    Raises:
        NotFoundError: the folder is no converted checkpoint.
        ConfigError, MappingError: the library has no such model.
        DigestError: the checkpoint is not the one that was written.
        PathError, DiskError, AccessError: the output can't be written there.
    """
    if not is_converted(folder):
        raise NotFoundError("this folder is no converted checkpoint", where=folder)
    check_target(out, replace=force)
    if folder.resolve().is_relative_to(out.resolve()):
        raise PathError("the output would take the place of the checkpoint", where=out)
    with ExitStack() as stack:
        checkpoint = stack.enter_context(open_native(folder))
        job = _plan(folder, checkpoint, TARGETS[to])
        talk.say(f"{out.name}: {to}, {len(job.tensors)} tensors, {job.nbytes / 1e9:.2f} GB")
        for warning in job.target.warnings(job.spec):
            talk.say(f"note: {warning}")
        stack.enter_context(locked(out, talk.say))
        partial = stack.enter_context(new_folder(out, replace=force))
        _fill(partial, job, command, talk)
        checkpoint.check_unchanged()
    return out


def _plan(folder: Path, checkpoint: Checkpoint, target: Target) -> _Job:
    spec = native.read(folder / native.CONFIG_NAME)
    shapes = {name: info.shape for name, info in checkpoint.tensors.items()}
    if shapes != native_shapes(spec):
        raise MappingError("the tensors are not those of the configuration", where=folder)
    target.files(spec)  # the library may have no such model: that is said before anything is read
    plan = target.plan(spec)
    recorded = (folder / PROVENANCE_NAME).is_file()
    return _Job(
        folder=folder,
        record=provenance.read(folder) if recorded else None,
        target=target,
        spec=spec,
        plan=plan,
        tensors=to_write(checkpoint, plan, "keep"),
    )


def _fill(partial: Path, job: _Job, command: tuple[str, ...], talk: Talk) -> None:
    check_space(partial, job.nbytes)
    with talk.progress("exporting", 3 * job.nbytes, unit="B") as advance:
        sources = _digests(job.folder, advance)
        _check(sources, job)
        written = write_folder(partial, job.target, job.tensors, job.spec, advance)
        files = _digests(partial, advance)
    origin = job.record.source if job.record else None
    sealed = provenance.seal(
        id=job.record.id if job.record else job.folder.resolve().name,
        tool=f"zoo {VERSION}",
        command=list(command),
        trust=None,
        mapping_digest=digest(job.target.format),
        source=SourceRecord(
            repo=origin.repo if origin else None,
            commit=origin.commit if origin else None,
            format="zoo",
            files=sources,
            left_out=[],
        ),
        dtype="keep",
        files=files,
        tensors=tensor_records(job.plan, job.tensors, written),
    )
    (partial / PROVENANCE_NAME).write_bytes(provenance.encode(sealed))


def _check(found: list[FileRecord], job: _Job) -> None:
    """What was recorded when the checkpoint was written, against what is there now."""
    for record in job.record.files if job.record else ():
        if record not in found:
            raise DigestError(
                f"{record.name} is not the one that was written",
                where=job.folder,
                remedy="Convert the model again.",
            )


def _digests(folder: Path, advance: Advance) -> list[FileRecord]:
    """Every file of a folder, by its path in it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [
        FileRecord(
            name=path.relative_to(folder).as_posix(),
            size=path.stat().st_size,
            sha256=sha256_file(path, advance),
        )
        for path in files
    ]
