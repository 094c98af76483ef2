"""What every export does, whatever it writes: where it may, from what, and how it is recorded."""

from __future__ import annotations

from pathlib import Path

from zoo.convert import provenance
from zoo.convert.export.target import Advance
from zoo.convert.provenance import (
    PROVENANCE_NAME,
    FileRecord,
    Provenance,
    SourceRecord,
    TensorRecord,
)
from zoo.convert.select import is_converted
from zoo.errors import DigestError, NotFoundError
from zoo.files import check_target, missing, sha256_file
from zoo.version import VERSION


def check_places(folder: Path, out: Path, *, replace: bool) -> None:
    """Whether ``folder`` can be exported to ``out``.

    Raises:
        NotFoundError: the folder is no converted checkpoint.
        PathError, AccessError: the output can't be written there.
    """
    if not folder.exists():
        raise missing(folder, "folder")
    if not is_converted(folder):
        raise NotFoundError(
            "this folder is no converted checkpoint",
            where=folder,
            remedy="`zoo convert` makes one.",
        )
    check_target(out, replace=replace, source=folder)


def record_of(folder: Path) -> Provenance | None:
    """The provenance; None of a checkpoint that was trained, not converted."""
    return provenance.read(folder) if (folder / PROVENANCE_NAME).is_file() else None


def check_sources(found: list[FileRecord], record: Provenance | None, folder: Path) -> None:
    """What was recorded when the checkpoint was written, against what is there now.

    Raises:
        DigestError: a file is not the one that was written.
    """
    for file in record.files if record else ():
        if file not in found:
            raise DigestError(
                f"{file.name} is not the one that was written",
                where=folder,
                remedy="Convert the model again.",
            )


def file_records(folder: Path, advance: Advance) -> list[FileRecord]:
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


def seal_export(
    out: Path,
    *,
    of: Path,
    record: Provenance | None,
    command: tuple[str, ...],
    mapping_digest: str,
    sources: list[FileRecord],
    files: list[FileRecord],
    tensors: dict[str, TensorRecord],
) -> None:
    """Writes the export's own provenance into ``out``.

    Args:
        out: what was written.
        of: the checkpoint, with its ``record`` and its files, ``sources``.
        record: the checkpoint's own provenance.
        command: what the user typed.
        mapping_digest: of what named the tensors.
        sources: the checkpoint's files.
        files: those that were written.
        tensors: what was done to each.
    """
    origin = record.source if record else None
    sealed = provenance.seal(
        id=record.id if record else of.resolve().name,
        tool=f"zoo {VERSION}",
        command=list(command),
        trust=None,
        mapping_digest=mapping_digest,
        source=SourceRecord(
            repo=origin.repo if origin else None,
            commit=origin.commit if origin else None,
            format="zoo",
            files=sources,
            left_out=[],
        ),
        dtype="keep",
        files=files,
        tensors=tensors,
    )
    (out / PROVENANCE_NAME).write_bytes(provenance.encode(sealed))
