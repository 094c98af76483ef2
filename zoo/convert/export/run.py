"""Exporting: the story on one screen."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from zoo.cache import reading
from zoo.convert.assemble import tensor_records, to_write
from zoo.convert.export import TARGETS
from zoo.convert.export.folder import (
    check_places,
    check_sources,
    file_records,
    record_of,
    seal_export,
)
from zoo.convert.export.target import Target, write_folder
from zoo.convert.native import open_native
from zoo.convert.plan import Plan
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.stream import Tensor
from zoo.convert.tables import digest
from zoo.errors import MappingError
from zoo.files import check_space, new_folder
from zoo.locks import locked
from zoo.spec import CLIPSpec, native
from zoo.spec.layout import native_shapes
from zoo.talk import Talk, shown_size


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
    check_places(folder, out, replace=force)
    with ExitStack() as stack:
        stack.enter_context(reading(folder, talk.say))
        checkpoint = stack.enter_context(open_native(folder))
        job = _plan(folder, checkpoint, TARGETS[to])
        talk.say(f"{out.name}: {to}, {len(job.tensors)} tensors, {shown_size(job.nbytes)}")
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
    return _Job(
        folder=folder,
        record=record_of(folder),
        target=target,
        spec=spec,
        plan=plan,
        tensors=to_write(checkpoint, plan, "keep"),
    )


def _fill(partial: Path, job: _Job, command: tuple[str, ...], talk: Talk) -> None:
    check_space(partial, job.nbytes, elsewhere="--out")
    with talk.progress("exporting", 3 * job.nbytes, unit="B") as advance:
        sources = file_records(job.folder, advance)
        check_sources(sources, job.record, job.folder)
        written = write_folder(partial, job.target, job.tensors, job.spec, advance)
        files = file_records(partial, advance)
    seal_export(
        partial,
        of=job.folder,
        record=job.record,
        command=command,
        mapping_digest=digest(job.target.format),
        sources=sources,
        files=files,
        tensors=tensor_records(job.plan, job.tensors, written),
    )
