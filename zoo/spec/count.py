"""How many parameters a specification has."""

from __future__ import annotations

import math
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
    sizes = {name: math.prod(shape) for name, shape in native_shapes(spec).items()}
    total = sum(sizes.values())
    vision = sum(size for name, size in sizes.items() if name.startswith("visual."))
    return ParamCount(total, vision, total - vision - sizes.get("logit_scale", 0))
