"""Tensors into a file without having them in memory: each at its place, by two threads."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from zoo.convert.chunks import DTYPES, Array, Counts, pieces
from zoo.convert.ops import Shape
from zoo.errors import as_zoo_error

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


def write_stream(
    path: Path,
    parts: Sequence[tuple[bytes, Tensor]],
    *,
    tail: bytes = b"",
    advance: Callable[[int], object],
) -> dict[str, Written]:
    """Writes a file of tensors, each after some bytes of its own, and ``tail`` at the end.

    Args:
        path: the file.
        parts: what precedes each tensor, and the tensor.
        tail: what follows the last one.
        advance: told of the tensors' bytes as they are written.

    Raises:
        DiskError, AccessError: as the system says.
    """
    places, end = [], 0
    for before, tensor in parts:
        places.append(end)
        end += len(before) + tensor.nbytes
    try:
        with path.open("wb", buffering=0) as file:
            handle = file.fileno()
            os.posix_fallocate(handle, 0, end + len(tail))
            _write(handle, tail, end)
            with ThreadPoolExecutor(THREADS) as pool:
                jobs = [
                    pool.submit(_write_part, handle, place, before, tensor, advance)
                    for place, (before, tensor) in zip(places, parts, strict=True)
                ]
                try:
                    results = [job.result() for job in jobs]
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
    except OSError as error:
        raise as_zoo_error(error, path) from error
    return {tensor.name: result for (_, tensor), result in zip(parts, results, strict=True)}


def _write_part(
    handle: int, place: int, before: bytes, tensor: Tensor, advance: Callable[[int], object]
) -> Written:
    _write(handle, before, place)
    place += len(before)
    digest, counts = hashlib.sha256(), Counts()
    for piece in pieces(tensor.produce(), DTYPES[tensor.dtype], counts):
        digest.update(piece)
        _write(handle, piece, place)
        place += len(piece)
        advance(len(piece))
    return Written(sha256=digest.hexdigest(), counts=counts)


def _write(handle: int, data: bytes | memoryview, place: int) -> None:
    while data:  # pwrite may take less than it was given
        count = os.pwrite(handle, data, place)
        place, data = place + count, data[count:]
