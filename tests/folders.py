"""What a folder holds."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from zoo.convert import provenance
from zoo.convert.provenance import FileRecord, Provenance, SourceRecord, TensorRecord

CHECKPOINT = ["config.json", "model.safetensors", "provenance.json"]  # a converted one's


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def converted_of(folder: Path, model: str, *, value: float = 1.0) -> Provenance:
    """A folder that looks like a conversion of a model of the zoo, with two tensors for weights.

    ``value`` makes other weights of the same size.
    """
    folder.mkdir(parents=True)
    tensors = {"bias": np.full(3, value, np.float32), "weight": np.full(7, value, np.float32)}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    files = [
        FileRecord(name=path.name, size=path.stat().st_size, sha256=_sha256(path.read_bytes()))
        for path in sorted(folder.iterdir())
    ]
    records = {
        name: TensorRecord(
            sources=[name],
            action="copy",
            dtype="float32",
            shape=list(array.shape),
            sha256=_sha256(array.tobytes()),
            nonfinite=0,
            overflowed=0,
            vanished=0,
        )
        for name, array in tensors.items()
    }
    record = provenance.seal(
        id=model,
        tool="zoo",
        command=["zoo", "convert"],
        trust=None,
        mapping_digest="0" * 64,
        source=SourceRecord(repo=None, commit=None, format="hf", files=[], left_out=[]),
        dtype="keep",
        files=files,
        tensors=records,
    )
    (folder / "provenance.json").write_bytes(provenance.encode(record))
    return record


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
