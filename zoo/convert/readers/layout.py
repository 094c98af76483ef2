"""Where a tensor's elements lie in a file, checked before anything is read."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import FormatError

MAX_DIMENSIONS = 64  # numpy's own limit
MAX_NBYTES = 2**63 - 1
MAX_SHOWN = 80  # characters


@dataclass(frozen=True, kw_only=True)
class TensorInfo:
    """What a file says of a tensor without its elements; ``dtype`` may be ml_dtypes.bfloat16."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes the elements take when packed."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True, kw_only=True)
class Layout(TensorInfo):
    """A tensor's place: ``offset`` from the file's start and one stride per axis, in bytes."""

    offset: int
    strides: tuple[int, ...]

    def array(self, file: MappedFile) -> NDArray[Any]:
        """A read-only view on the mapped file."""
        if 0 in self.shape:
            empty = np.empty(self.shape, self.dtype)
            empty.flags.writeable = False
            return empty
        reach = sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        data = file.view(self.offset, reach + self.dtype.itemsize)
        return np.ndarray(self.shape, self.dtype, buffer=data, strides=self.strides)


@dataclass(frozen=True, slots=True)
class Extent:
    """A run of bytes in a file."""

    offset: int
    nbytes: int


def checked_shape(tensor: str, shape: object, dtype: np.dtype[Any]) -> tuple[int, ...]:
    """``shape`` as a tuple, if an array of it can exist at all.

    Raises:
        FormatError: it is not a sequence of sizes, or too large to be addressed.
    """
    if not isinstance(shape, tuple | list) or not all(type(n) is int and n >= 0 for n in shape):
        raise FormatError(f"tensor {shown(tensor)} has a shape that is not a list of sizes")
    if len(shape) > MAX_DIMENSIONS:
        raise FormatError(f"tensor {shown(tensor)} has {len(shape)} dimensions")
    # numpy computes strides over empty axes too, so they count as one here.
    if math.prod(max(n, 1) for n in shape) * dtype.itemsize > MAX_NBYTES:
        raise FormatError(f"tensor {shown(tensor)} has a shape too large to be addressed")
    return tuple(shape)


def packed_strides(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Strides in bytes of a row-major array."""
    strides = []
    step = itemsize
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def strided(
    tensor: str,
    dtype: np.dtype[Any],
    shape: tuple[int, ...],
    *,
    start: int,
    strides: object,
    storage: Extent,
) -> Layout:
    """A view on a storage, ``start`` and ``strides`` counted in elements as torch does.

    Raises:
        FormatError: the view reaches beyond its storage.
    """
    if not isinstance(strides, tuple) or len(strides) != len(shape):
        raise FormatError(f"tensor {shown(tensor)} has not one stride per dimension")
    if start < 0 or not all(type(step) is int and step >= 0 for step in strides):
        raise FormatError(f"tensor {shown(tensor)} has strides or an offset below zero")
    # The stride of an axis that is never walked may be anything.
    steps = [step if n > 1 else 1 for step, n in zip(strides, shape, strict=True)]
    last = start + sum((n - 1) * step for step, n in zip(steps, shape, strict=True))
    if 0 not in shape and (last + 1) * dtype.itemsize > storage.nbytes:
        raise FormatError(f"tensor {shown(tensor)} reaches beyond its storage")
    return Layout(
        dtype=dtype,
        shape=shape,
        offset=storage.offset + start * dtype.itemsize,
        strides=tuple(step * dtype.itemsize for step in steps),
    )


def shown(text: str) -> str:
    """Text from a file as it may stand in a message: quoted, escaped and of bounded length."""
    return ascii(text) if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]!a}..."
