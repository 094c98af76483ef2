"""Streaming safetensors: the header first, then every tensor at its place, by two threads.

The format is safetensors' own (its README: eight bytes of header length, JSON, data); the writer
is ours because the library wants all tensors in memory. Metadata is ``{"format": "np"}``, which
PaddleNLP and PaddleFormers write and accept.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.convert.chunks import DTYPES, Array, Counts, pieces
from zoo.convert.ops import Shape
from zoo.files import as_zoo_error, canonical_json, pretty_json

WEIGHTS_NAME = "model.safetensors"
INDEX_NAME = "model.safetensors.index.json"
SAFETENSORS_NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16"}
METADATA = {"format": "np"}
THREADS = 2  # hashing and copying fill two cores; more contend for the same memory


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """One tensor to write; ``produce`` gives its array, before the cast, when its turn comes."""

    name: str
    shape: Shape
    dtype: str
    produce: Callable[[], Array]

    @property
    def nbytes(self) -> int:
        itemsize: int = DTYPES[self.dtype].itemsize
        return math.prod(self.shape) * itemsize


@dataclass(frozen=True, kw_only=True)
class Written:
    """What became of one tensor."""

    sha256: str
    counts: Counts


def plan_shards(tensors: Sequence[Tensor], max_shard_size: int | None) -> dict[str, list[Tensor]]:
    """Which file holds which tensors; wider types first, so that every tensor is aligned."""
    ordered = sorted(tensors, key=lambda tensor: -DTYPES[tensor.dtype].itemsize)
    shards: list[list[Tensor]] = [[]]
    size = 0
    for tensor in ordered:
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
    metadata: Mapping[str, str] = METADATA,
    advance: Callable[[int], object],
) -> dict[str, Written]:
    """Writes ``model.safetensors``, or shards of at most ``max_shard_size`` bytes and an index.

    Args:
        folder: an existing folder; see ``zoo.files.new_folder`` for how it becomes the result.
        tensors: in the order they are to stand in, but for alignment.
        max_shard_size: in bytes; a larger tensor has a shard of its own. None: one file.
        metadata: the header's ``__metadata__``.
        advance: told of the bytes as they are written.

    Raises:
        DiskError, AccessError: as the system says.
    """
    shards = plan_shards(tensors, max_shard_size)
    written: dict[str, Written] = {}
    for name, shard in shards.items():
        written |= _write_file(folder / name, shard, metadata, advance)
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(tensor.nbytes for tensor in tensors)},
            "weight_map": {tensor.name: name for name, shard in shards.items() for tensor in shard},
        }
        (folder / INDEX_NAME).write_bytes(pretty_json(index))
    return {tensor.name: written[tensor.name] for tensor in tensors}


def _write_file(
    path: Path,
    tensors: Sequence[Tensor],
    metadata: Mapping[str, str],
    advance: Callable[[int], object],
) -> dict[str, Written]:
    header: dict[str, Any] = {"__metadata__": dict(metadata)}
    offsets, end = [], 0
    for tensor in tensors:
        offsets.append(end)
        end += tensor.nbytes
        header[tensor.name] = {
            "dtype": SAFETENSORS_NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offsets[-1], end],
        }
    text = canonical_json(header)
    text += b" " * (-len(text) % 8)
    start = 8 + len(text)
    try:
        with path.open("wb", buffering=0) as file:
            os.posix_fallocate(file.fileno(), 0, start + end)
            os.pwrite(file.fileno(), len(text).to_bytes(8, "little") + text, 0)
            with ThreadPoolExecutor(THREADS) as pool:
                jobs = [
                    pool.submit(_write_tensor, file.fileno(), start + offset, tensor, advance)
                    for offset, tensor in zip(offsets, tensors, strict=True)
                ]
                try:
                    results = [job.result() for job in jobs]
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
    except OSError as error:
        raise as_zoo_error(error, path) from error
    return {tensor.name: result for tensor, result in zip(tensors, results, strict=True)}


def _write_tensor(
    handle: int, offset: int, tensor: Tensor, advance: Callable[[int], object]
) -> Written:
    digest, counts = hashlib.sha256(), Counts()
    for piece in pieces(tensor.produce(), DTYPES[tensor.dtype], counts):
        digest.update(piece)
        while piece:  # pwrite may take less than it was given
            count = os.pwrite(handle, piece, offset)
            offset, piece = offset + count, piece[count:]
            advance(count)
    return Written(sha256=digest.hexdigest(), counts=counts)
