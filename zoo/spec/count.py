"""How many parameters a specification has."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from zoo.spec import CLIPSpec
from zoo.spec.layout import native_shapes


class ParamCount(NamedTuple):
    """``total`` is both towers and, where there are two, the logit scale."""

    total: int
    vision: int
    text: int


def expected_params(spec: CLIPSpec) -> ParamCount:
    """Counts the parameters of every tensor that a native checkpoint holds."""
    return count_params(native_shapes(spec))


def count_params(shapes: Mapping[str, Sequence[int]]) -> ParamCount:
    """Counts the parameters of a native checkpoint's tensors, by their names."""
    sizes = {name: math.prod(shape) for name, shape in shapes.items()}
    total = sum(sizes.values())
    vision = sum(size for name, size in sizes.items() if name.startswith("visual."))
    return ParamCount(total, vision, total - vision - sizes.get("logit_scale", 0))
