"""Safetensors, streamed: the header first, then every tensor at its place.

The format is safetensors' own (its README: eight bytes of header length, JSON, data); the writer
is ours because the library wants all tensors in memory. Metadata is ``{"format": "np"}``, which
PaddleNLP and PaddleFormers write and accept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.convert.chunks import DTYPES
from zoo.convert.stream import Tensor, Written, write_stream
from zoo.files import canonical_json, pretty_json

WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
SAFETENSORS_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
METADATA = {"format": "np"}


def plan_shards(tensors: Sequence[Tensor], max_shard_size: int | None) -> dict[str, list[Tensor]]:
    """Which file holds which tensors."""
    shards: list[list[Tensor]] = [[]]
    size = 0
    for tensor in aligned(tensors):
        if max_shard_size and shards[-1] and size + tensor.nbytes > max_shard_size:
            shards.append([])
            size = 0
        shards[-1].append(tensor)
        size += tensor.nbytes
    if len(shards) == 1:
        return {WEIGHTS_NAME: shards[0]}
    count = len(shards)
    return {
        f"model-{number:05}-of-{count:05}.safetensors": shard
        for number, shard in enumerate(shards, start=1)
    }


def write_checkpoint(
    folder: Path,
    tensors: Sequence[Tensor],
    *,
    max_shard_size: int | None,
    advance: Callable[[int], object],
) -> dict[str, Written]:
    """Writes ``model.safetensors``, or shards of at most ``max_shard_size`` bytes and an index.

    Args:
        folder: an existing folder; see ``zoo.files.new_folder`` for how it becomes the result.
        tensors: in the order they are to stand in, but for alignment.
        max_shard_size: in bytes; a larger tensor has a shard of its own. None: one file.
        advance: told of the bytes as they are written.

    Raises:
        DiskError, AccessError: as the system says.
    """
    shards = plan_shards(tensors, max_shard_size)
    written: dict[str, Written] = {}
    for name, shard in shards.items():
        written |= write_safetensors(folder / name, shard, metadata=METADATA, advance=advance)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors)},
            "weight_map": {tensor.name: name for name, shard in shards.items() for tensor in shard},
        }
        (folder / INDEX_NAME).write_bytes(pretty_json(index))
    return {tensor.name: written[tensor.name] for tensor in tensors}


def write_safetensors(
    path: Path,
    tensors: Sequence[Tensor],
    *,
    metadata: Mapping[str, str],
    advance: Callable[[int], object],
) -> dict[str, Written]:
    """Writes one file; ``metadata`` is the header's ``__metadata__``.

    Raises:
        DiskError, AccessError: as the system says.
    """
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": SAFETENSORS_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end, end := end + tensor.nbytes],
        }
    text = canonical_json(header)
    text += b" " * (-len(text) % 8)
    head = len(text).to_bytes(8, "little") + text
    before = [head, *[b""] * (len(tensors) - 1)]
    return write_stream(path, list(zip(before, tensors, strict=True)), advance=advance)


def aligned(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Wider types first, so that every tensor lies at a multiple of its type's size."""
    return sorted(tensors, key=lambda tensor: -DTYPES[tensor.dtype].itemsize)
