"""Arrays as a stream of contiguous pieces: cast on the way, counted, never whole in memory."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from zoo.errors import FormatError

Array = NDArray[Any]

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
DTYPES = {
    "float64": np.dtype(np.float64),
    "float32": np.dtype(np.float32),
    "float16": np.dtype(np.float16),
    "bfloat16": BFLOAT16,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
PIECE = 2 << 20  # elements
BLOCK = 128  # side of the square in which a matrix is transposed: two of them fit into L1


@dataclass
class Counts:
    """What a cast did to finite values, and what was not finite to begin with."""

    nonfinite: int = 0
    overflowed: int = 0  # finite before, infinite after
    vanished: int = 0  # not zero before, zero after


def dtype_name(dtype: np.dtype[Any], where: object) -> str:
    """The name of a floating type.

    Raises:
        FormatError: it is none that a weight can have.
    """
    if dtype not in NAMES:
        raise FormatError(f"a weight of type {dtype}", where=where)
    return NAMES[dtype]


def widest(names: Collection[str]) -> str:
    """The narrowest type that holds every value of all these types."""
    if len(set(names)) == 1:
        return next(iter(names))
    return "float64" if "float64" in names else "float32"  # neither half holds the other


def pieces(array: Array, dtype: np.dtype[Any], counts: Counts) -> Iterator[memoryview]:
    """The bytes of ``array`` in C order after a cast to ``dtype``, piece by piece.

    A piece holds at most ``PIECE`` elements, or one row; the type plays no part in where it ends.
    ``counts`` is added to.
    """
    rows = np.atleast_1d(array)
    step = max(1, PIECE // max(1, math.prod(rows.shape[1:])))
    for start in range(0, len(rows), step):
        piece = _contiguous(rows[start : start + step])
        with np.errstate(all="ignore"):
            total = piece.sum(dtype=np.float32 if piece.itemsize < 8 else None)
            if not np.isfinite(total):  # only then look closely: a sum may just have overflowed
                counts.nonfinite += int(np.count_nonzero(~np.isfinite(piece)))
            if piece.dtype != dtype:
                piece = _cast(piece, dtype, counts)
        yield piece.reshape(-1).view(np.uint8).data


def _contiguous(array: Array) -> Array:
    """A copy in C order where the array is not; a transposed matrix goes block by block, because
    walking along its columns would miss the cache at every element."""
    if array.flags.c_contiguous:
        return array
    if array.ndim != 2:
        return np.ascontiguousarray(array)
    result = np.empty(array.shape, array.dtype)
    height, width = array.shape
    for top in range(0, height, BLOCK):
        for left in range(0, width, BLOCK):
            block = np.s_[top : top + BLOCK, left : left + BLOCK]
            result[block] = array[block]
    return result


def _cast(piece: Array, dtype: np.dtype[Any], counts: Counts) -> Array:
    cast = piece.astype(dtype)
    if dtype.itemsize < piece.dtype.itemsize or BFLOAT16 in (dtype, piece.dtype):
        counts.overflowed += int(np.count_nonzero(~np.isfinite(cast) & np.isfinite(piece)))
        counts.vanished += int(np.count_nonzero((cast == 0) & (piece != 0)))
    return cast
