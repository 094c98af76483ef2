"""Two checkpoints in any formats, mapped to native names and compared tensor by tensor."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from zoo.convert.assemble import plan_for, to_write
from zoo.convert.chunks import DTYPES, Counts, pieces
from zoo.convert.native import open_native
from zoo.convert.ops import Shape
from zoo.convert.plan import Plan, Step
from zoo.convert.select import is_converted, open_source
from zoo.convert.stream import Tensor
from zoo.spec import CLIPSpec
from zoo.talk import Talk


@dataclass(frozen=True, kw_only=True)
class TensorDiff:
    """One tensor that both have and that is not the same to the bit in both."""

    name: str
    dtypes: tuple[str, str]
    shapes: tuple[Shape, Shape]
    largest: float | None  # absolute difference; None where shapes differ or values are not finite
    only_cast: bool  # casting one side to the other's type gives the other's bytes


@dataclass(frozen=True, kw_only=True)
class Diff:
    equal: int
    different: tuple[TensorDiff, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]

    @property
    def same(self) -> bool:
        return not (self.different or self.only_a or self.only_b)


def diff(a: Path, b: Path, *, arch: CLIPSpec | None, talk: Talk) -> Diff:
    """Compares two checkpoints.

    Args:
        a, b: converted folders, or foreign folders or files.
        arch: what a weight file without a configuration is.
        talk: progress.

    Raises:
        ZooError: one of them is no checkpoint that zoo reads.
    """
    with ExitStack() as stack:
        left, right = (_tensors(path, arch, stack) for path in (a, b))
        both = [name for name in left if name in right]
        different = []
        with talk.progress("comparing", len(both)) as advance:
            for name in both:
                found = _compare(left[name], right[name])
                if found is not None:
                    different.append(found)
                advance(1)
    return Diff(
        equal=len(both) - len(different),
        different=tuple(different),
        only_a=tuple(name for name in left if name not in right),
        only_b=tuple(name for name in right if name not in left),
    )


def _tensors(path: Path, arch: CLIPSpec | None, stack: ExitStack) -> dict[str, Tensor]:
    """Every tensor under its native name; nothing is read yet."""
    if path.is_dir() and is_converted(path):
        checkpoint = stack.enter_context(open_native(path))
        steps = [Step.same(name, info.shape) for name, info in checkpoint.tensors.items()]
        plan = Plan(tuple(steps), ())
    else:
        opened = open_source(path, spec=arch)
        checkpoint = stack.enter_context(opened.checkpoint)
        plan = plan_for(opened, opened.spec)
    return {tensor.name: tensor for tensor in to_write(checkpoint, plan, "keep")}


def _compare(a: Tensor, b: Tensor) -> TensorDiff | None:
    """None where they are the same to the bit."""
    largest: float | None = None
    only_cast = False
    if a.shape == b.shape:
        if a.dtype == b.dtype and _same_bytes(a, b, a.dtype):
            return None
        only_cast = a.dtype != b.dtype and any(
            _same_bytes(a, b, dtype) for dtype in (a.dtype, b.dtype)
        )
        largest = _largest(a, b)
    return TensorDiff(
        name=a.name,
        dtypes=(a.dtype, b.dtype),
        shapes=(a.shape, b.shape),
        largest=largest,
        only_cast=only_cast,
    )


def _same_bytes(a: Tensor, b: Tensor, dtype: str) -> bool:
    """Whether both are the same bytes once cast to ``dtype``."""
    streams = (pieces(tensor.produce(), DTYPES[dtype], Counts()) for tensor in (a, b))
    return all(x == y for x, y in zip(*streams, strict=True))


def _largest(a: Tensor, b: Tensor) -> float | None:
    """The largest absolute difference, in float64; None where a value is NaN or infinite."""
    counts = Counts()
    streams = (pieces(t.produce(), DTYPES["float64"], counts) for t in (a, b))
    largest = 0.0
    for x, y in zip(*streams, strict=True):
        if counts.nonfinite:
            return None
        difference = np.abs(np.frombuffer(x) - np.frombuffer(y))
        largest = max(largest, float(np.max(difference, initial=0.0)))
    return largest
