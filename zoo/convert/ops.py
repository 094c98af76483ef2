"""What can happen to tensors on the way between two formats; each operation carries its inverse.

An operation takes a list of arrays and gives a list of arrays. On mapped files all but Concat are
views: nothing is copied until the writer asks for the bytes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.errors import FormatError

Array = NDArray[Any]
Shape = tuple[int, ...]


class ShapeError(Exception):
    """Shapes that an operation can't take; the plan knows the names and says it to people."""


class Op(Protocol):
    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        """What ``apply`` would give for arrays of these shapes.

        Raises:
            ShapeError: it could not.
        """

    def apply(self, arrays: Sequence[Array]) -> list[Array]: ...

    def inverse(self) -> Op: ...


@dataclass(frozen=True)
class Copy:
    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        return list(shapes)

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        return list(arrays)

    def inverse(self) -> Op:
        return self

    def __str__(self) -> str:
        return "copy"


@dataclass(frozen=True)
class Transpose:
    """Each matrix [a, b] becomes [b, a]."""

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        for shape in shapes:
            if len(shape) != 2:
                raise ShapeError("only a matrix can be transposed")
        return [(b, a) for a, b in shapes]

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        return [array.T for array in arrays]

    def inverse(self) -> Op:
        return self

    def __str__(self) -> str:
        return "transpose"


@dataclass(frozen=True)
class Split:
    """One array becomes ``parts`` equal ones along its first axis."""

    parts: int

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        (shape,) = shapes
        if not shape or shape[0] % self.parts:
            raise ShapeError(f"the first axis can't be split into {self.parts}")
        return [(shape[0] // self.parts, *shape[1:])] * self.parts

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        (array,) = arrays
        return np.split(array, self.parts)

    def inverse(self) -> Op:
        return Concat(self.parts)

    def __str__(self) -> str:
        return f"split {self.parts}"


@dataclass(frozen=True)
class Concat:
    """``parts`` arrays of one shape become one along the first axis."""

    parts: int

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(set(shapes)) != 1 or not shapes[0]:
            raise ShapeError("parts of different shapes can't be joined")
        length, *rest = shapes[0]
        return [(length * self.parts, *rest)]

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        return [np.concatenate(arrays)]

    def inverse(self) -> Op:
        return Split(self.parts)

    def __str__(self) -> str:
        return f"concat {self.parts}"


@dataclass(frozen=True)
class Same:
    """``parts`` equal arrays become one of them."""

    parts: int

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        if len(set(shapes)) != 1:
            raise ShapeError("what every part should hold alike has different shapes")
        return [shapes[0]]

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        first, *others = arrays
        if any(first.tobytes() != other.tobytes() for other in others):
            raise FormatError("what every part should hold alike differs between the parts")
        return [first]

    def inverse(self) -> Op:
        return Spread(self.parts)

    def __str__(self) -> str:
        return f"one of {self.parts} equal"


@dataclass(frozen=True)
class Spread:
    """One array becomes ``parts`` equal ones."""

    parts: int

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        (shape,) = shapes
        return [shape] * self.parts

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        (array,) = arrays
        return [array] * self.parts

    def inverse(self) -> Op:
        return Same(self.parts)

    def __str__(self) -> str:
        return f"to {self.parts} alike"


@dataclass(frozen=True)
class Reshape:
    """One array of shape ``old`` becomes one of shape ``new``, elements in the same order."""

    old: Shape
    new: Shape

    def __post_init__(self) -> None:
        if math.prod(self.old) != math.prod(self.new):
            raise ValueError(f"{self.old} and {self.new} hold different counts")

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        if list(shapes) != [self.old]:
            raise ShapeError(f"a tensor of shape {list(self.old)} is needed")
        return [self.new]

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        (array,) = arrays
        return [array.reshape(self.new)]

    def inverse(self) -> Op:
        return Reshape(self.new, self.old)

    def __str__(self) -> str:
        return f"reshape {list(self.old)} to {list(self.new)}"


@dataclass(frozen=True)
class Chain:
    """One operation after the other."""

    ops: tuple[Op, ...]

    def shapes(self, shapes: Sequence[Shape]) -> list[Shape]:
        result = list(shapes)
        for op in self.ops:
            result = op.shapes(result)
        return result

    def apply(self, arrays: Sequence[Array]) -> list[Array]:
        result = list(arrays)
        for op in self.ops:
            result = op.apply(result)
        return result

    def inverse(self) -> Op:
        return Chain(tuple(op.inverse() for op in reversed(self.ops)))

    def __str__(self) -> str:
        return ", ".join(str(op) for op in self.ops)
