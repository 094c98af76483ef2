"""Converting: the story on one screen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from zoo.cache import model_folder
from zoo.convert import provenance
from zoo.convert.assemble import check_finite, plan_for, tensor_records, to_write
from zoo.convert.plan import LISTED, Plan
from zoo.convert.provenance import FileRecord, SourceRecord
from zoo.convert.readers.layout import shown
from zoo.convert.reconcile import reconcile
from zoo.convert.select import Opened, open_source
from zoo.convert.source import Source
from zoo.convert.stream import THREADS, Tensor, Written
from zoo.convert.tables import digest
from zoo.convert.writer import write_checkpoint
from zoo.errors import ConfigError
from zoo.files import check_space, check_target, new_folder, pretty_json, sha256_file, sync
from zoo.locks import forget_lock, locked
from zoo.spec import CLIPSpec, native
from zoo.spec.layout import native_layout
from zoo.talk import Talk, shown_size
from zoo.version import VERSION


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the user chose; the command line's flags of the same names."""

    dtype: str = "keep"  # or float32, float16, bfloat16
    max_shard_size: int | None = None  # bytes
    family: str | None = None  # --from
    arch: CLIPSpec | None = None
    trust: str | None = None  # file, manifest
    allow_nonfinite: bool = False
    force: bool = False
    command: tuple[str, ...]  # recorded


@dataclass(frozen=True, kw_only=True)
class _Job:
    """One conversion, planned and checked; no tensor has been read."""

    source: Source
    opened: Opened
    spec: CLIPSpec
    plan: Plan
    tensors: list[Tensor]
    options: Options

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.tensors)

    @property
    def left_out(self) -> list[str]:
        """What the files hold beside weights."""
        return [*self.plan.dropped, *self.opened.checkpoint.ignored]

    @property
    def dtype(self) -> str:
        """The type of all tensors, or ``mixed``."""
        dtypes = {tensor.dtype for tensor in self.tensors}
        return dtypes.pop() if len(dtypes) == 1 else "mixed"


def convert(source: Source, path: Path, out: Path | None, options: Options, talk: Talk) -> Path:
    """Converts the checkpoint at ``path`` into a folder.

    Args:
        source: who the checkpoint is.
        path: its folder or file on this disk.
        out: the folder that will appear, whole, or not at all. None: its place in the cache, where
            a conversion of the same bytes into the same type is left as it is.
        options: what the user chose.
        talk: where to say what happens.

    Returns:
        The folder.

    Raises:
        ZooError: of every kind; then nothing new is at ``out``, and what was there still is.
    """
    if out is not None:
        check_target(out, replace=options.force, source=path)
    opened = open_source(path, family=options.family, spec=options.arch)
    with closing(opened.checkpoint):
        job = _plan(source, opened, options)
        talk.say(
            f"{source.id}: {opened.format.name}, {len(job.tensors)} tensors, "
            f"{shown_size(job.nbytes)}"
        )
        if job.left_out:
            names = ", ".join(map(shown, job.left_out[:LISTED]))
            more = len(job.left_out) - LISTED
            talk.say(f"left out: {names}" + (f" and {more} more" if more > 0 else ""))
        for other in opened.others:
            talk.say(f"{other}'s files are there too; --from {other} takes them")
        digests = None
        if out is None:
            with talk.progress("reading", opened.nbytes, unit="B") as advance:
                digests = _digests(opened.files, advance)
            out = model_folder(source.id, provenance.files_digest(digests), job.dtype)
            if _is_there(out, job, talk):
                forget_lock(out)
                return out
        with locked(out, talk.say):
            if digests and _is_there(out, job, talk):  # by the process that was waited for
                return out
            with new_folder(out, replace=options.force) as folder:
                _fill(folder, job, digests, talk)
    return out


def _is_there(out: Path, job: _Job, talk: Talk) -> bool:
    """Whether the cache has this conversion.

    Raises:
        ConfigError: it has one of the same files by another configuration (--arch, --trust).
    """
    if job.options.force or not out.exists():
        return False
    if native.read(out / native.CONFIG_NAME) != job.spec:
        raise ConfigError(
            "these files were converted by another configuration before",
            where=out,
            remedy="Replace that with --force, or give this one another name with --id.",
        )
    talk.say(f"{job.source.id}: converted already")
    return True


def _plan(source: Source, opened: Opened, options: Options) -> _Job:
    spec = reconcile(opened.stated, source.manifest, trust=options.trust)
    plan = plan_for(opened, spec)
    return _Job(
        source=source,
        opened=opened,
        spec=spec,
        plan=plan,
        tensors=to_write(opened.checkpoint, plan, options.dtype, order=native_layout(spec)),
        options=options,
    )


def _fill(folder: Path, job: _Job, digests: list[FileRecord] | None, talk: Talk) -> None:
    """Writes everything a converted checkpoint consists of."""
    opened, options = job.opened, job.options
    check_space(folder, job.nbytes, elsewhere="--out")
    total = 2 * job.nbytes + (0 if digests else opened.nbytes)
    with talk.progress("converting", total, unit="B") as advance:
        written = write_checkpoint(
            folder, job.tensors, max_shard_size=options.max_shard_size, advance=advance
        )
        check_finite(written, allowed=options.allow_nonfinite)
        (folder / native.CONFIG_NAME).write_bytes(pretty_json(native.dump(job.spec)))
        # The source's digests and the result's, side by side: both are only read. Meanwhile the
        # disk takes what was written, so that new_folder has little to wait for.
        with ThreadPoolExecutor(THREADS + 1) as pool:
            on_disk = pool.submit(sync, folder)
            result = pool.submit(_digests, tuple(sorted(folder.iterdir())), advance)
            digests = digests or _digests(opened.files, advance)
            on_disk.result()
    opened.checkpoint.check_unchanged()
    _say_losses(written, talk)
    record = provenance.seal(
        id=job.source.id,
        tool=f"zoo {VERSION}",
        command=list(options.command),
        trust=options.trust,
        mapping_digest=digest(opened.format),
        source=SourceRecord(
            repo=job.source.repo,
            commit=job.source.commit,
            format=opened.format.name,
            files=digests,
            left_out=job.left_out,
        ),
        dtype=options.dtype,
        files=result.result(),
        tensors=tensor_records(job.plan, job.tensors, written),
    )
    (folder / provenance.PROVENANCE_NAME).write_bytes(provenance.encode(record))


def _say_losses(written: Mapping[str, Written], talk: Talk) -> None:
    overflowed = sum(tensor.counts.overflowed for tensor in written.values())
    vanished = sum(tensor.counts.vanished for tensor in written.values())
    if overflowed or vanished:
        talk.say(
            f"the cast made {overflowed} values infinite and {vanished} zero; "
            f"{provenance.PROVENANCE_NAME} says of which tensors"
        )


def _digests(files: tuple[Path, ...], advance: Callable[[int], object]) -> list[FileRecord]:
    return [
        FileRecord(name=file.name, size=file.stat().st_size, sha256=sha256_file(file, advance))
        for file in files
    ]
