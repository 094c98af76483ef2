"""``provenance.json``: where a checkpoint comes from, and what was done to every tensor.

No time of day and no path of the machine apart from the words of the command: two runs of the same
command give the same bytes.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec

from zoo.errors import DigestError, NotFoundError
from zoo.files import MARK, canonical_json, missing, pretty_json, read_record, self_digest
from zoo.spec.native import CONFIG_NAME

PROVENANCE_NAME = MARK
TRAINED = "train"  # the format of a source that is none: the weights were trained


class FileRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    size: int  # bytes
    sha256: str


class SourceRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``repo`` and ``commit`` are null for files from a local folder."""

    repo: str | None
    commit: str | None
    format: str
    files: list[FileRecord]
    left_out: list[str]  # what the files hold beside weights


class TensorRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sources: list[str]
    action: str
    dtype: str
    shape: list[int]
    sha256: str  # over the tensor's bytes, C order, little endian
    nonfinite: int  # NaN and infinite values in the source
    overflowed: int  # finite values that the cast made infinite
    vanished: int  # values other than zero that the cast made zero


class Provenance(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    schema_version: int
    id: str
    tool: str
    command: list[str]
    trust: str | None  # which side decided where the file and the manifest differ
    mapping_digest: str
    source: SourceRecord
    dtype: str  # as asked for: keep, or a type
    files: list[FileRecord]
    tensors: dict[str, TensorRecord]
    tensors_digest: str
    digest: str

    @property
    def config_digest(self) -> str:
        """sha256 of ``config.json``; empty where the record has none."""
        return next((file.sha256 for file in self.files if file.name == CONFIG_NAME), "")

    @property
    def is_trained(self) -> bool:
        """Whether the weights were trained, and so come from no file; one that had a source and
        has lost it is not."""
        return self.source.format == TRAINED and not self.source.files


def tensors_digest(tensors: dict[str, TensorRecord]) -> str:
    """sha256 over names, types, shapes and bytes of all tensors, however they are sharded."""
    content = {name: [t.dtype, t.shape, t.sha256] for name, t in tensors.items()}
    return hashlib.sha256(canonical_json(content)).hexdigest()


def files_digest(files: list[FileRecord]) -> str:
    """sha256 over names, sizes and digests of files: which bytes a conversion started from."""
    return hashlib.sha256(canonical_json([msgspec.to_builtins(f) for f in files])).hexdigest()


def seal(**content: Any) -> Provenance:
    """A provenance with both digests filled in."""
    draft = Provenance(
        schema_version=1,
        tensors_digest=tensors_digest(content["tensors"]),
        digest="",
        **content,
    )
    return msgspec.structs.replace(draft, digest=self_digest(msgspec.to_builtins(draft)))


def encode(provenance: Provenance) -> bytes:
    """The bytes of ``provenance.json``."""
    return pretty_json(msgspec.to_builtins(provenance))


def read(folder: Path) -> Provenance:
    """Reads a folder's provenance; a single changed byte is found.

    Raises:
        NotFoundError: the folder has none, or is none.
        DigestError: it is not the one that was written.
    """
    path = folder / PROVENANCE_NAME
    try:
        data = read_record(path)
    except FileNotFoundError:
        if not folder.exists():
            raise missing(folder, "folder") from None
        raise NotFoundError(
            "no provenance.json: this folder was not written by zoo",
            where=folder,
            remedy="`zoo convert` writes one.",
        ) from None
    try:
        provenance = msgspec.json.decode(data, type=Provenance)
        if encode(provenance) == data and _sealed(provenance):
            return provenance
        raise DigestError("provenance.json is not the one that was written", where=path)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DigestError(f"provenance.json is damaged: {error}", where=path) from None


def _sealed(provenance: Provenance) -> bool:
    return self_digest(msgspec.to_builtins(provenance)) == provenance.digest
