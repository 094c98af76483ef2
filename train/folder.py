"""A trained model as a zoo folder: ``zoo verify``, ``zoo.load`` and ``zoo export`` take it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.convert import provenance
from zoo.convert.provenance import TRAINED, FileRecord, SourceRecord, TensorRecord
from zoo.convert.stream import Tensor, Written
from zoo.convert.writer import write_checkpoint
from zoo.errors import NonfiniteError
from zoo.files import pretty_json, sha256_file
from zoo.spec import CLIPSpec, native
from zoo.spec.layout import native_layout
from zoo.version import VERSION


def write_model(
    folder: Path,
    spec: CLIPSpec,
    weights: Mapping[str, NDArray[np.float32]],
    name: str,
    command: list[str],
) -> None:
    """Writes weights, configuration and provenance into a new folder.

    Args:
        folder: must not exist.
        spec: of the weights.
        weights: every tensor of the specification, float32.
        name: what the model is called.
        command: the words that trained it.

    Raises:
        NonfiniteError: a weight is NaN or infinite.
        DiskError, AccessError: as the system says.
    """
    folder.mkdir()
    tensors = [
        Tensor(name=n, shape=weights[n].shape, dtype="float32", produce=weights[n].view)
        for n in native_layout(spec)
    ]
    written = write_checkpoint(folder, tensors, max_shard_size=None, advance=lambda count: None)
    for n, tensor in written.items():
        if tensor.counts.nonfinite:
            raise NonfiniteError(
                f"{tensor.counts.nonfinite} values are NaN or infinite after training",
                where=n,
                remedy="Go on from an earlier checkpoint, with a lower rate or a longer warm-up.",
            )
    (folder / native.CONFIG_NAME).write_bytes(pretty_json(native.dump(spec)))
    record = provenance.seal(
        id=name,
        tool=f"zoo {VERSION}",
        command=command,
        trust=None,
        mapping_digest="",
        source=SourceRecord(repo=None, commit=None, format=TRAINED, files=[], left_out=[]),
        dtype="float32",
        files=[
            FileRecord(name=file.name, size=file.stat().st_size, sha256=sha256_file(file))
            for file in sorted(folder.iterdir())
        ],
        tensors={tensor.name: _record(tensor, written[tensor.name]) for tensor in tensors},
    )
    (folder / provenance.PROVENANCE_NAME).write_bytes(provenance.encode(record))


def _record(tensor: Tensor, written: Written) -> TensorRecord:
    return TensorRecord(
        sources=[tensor.name],
        action=TRAINED,
        dtype=tensor.dtype,
        shape=list(tensor.shape),
        sha256=written.sha256,
        nonfinite=0,
        overflowed=0,
        vanished=0,
    )
