"""MLP widths as ratios: how configurations write them, and back."""

from __future__ import annotations


def width_of(width: int, ratio: float) -> int:
    """The MLP's width in units: ``int(width * ratio)``, as open_clip and PaddleMIX compute it."""
    return int(width * ratio)


def ratio_of(width: int, mlp_width: int) -> float:
    """The shortest decimal ratio that gives ``mlp_width`` back.

    mlp_width / width itself will not do: its float can round below, and int() cuts it off.
    """
    for digits in range(1, 18):
        scale = 10**digits
        ratio: float = -(-mlp_width * scale // width) / scale  # rounded up
        if width_of(width, ratio) == mlp_width:
            return ratio
    raise AssertionError(f"no ratio gives {mlp_width} from {width}")
