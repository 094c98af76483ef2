"""Sizes and offsets of resizing and cropping, as open_clip and torchvision compute them.

Every pair is (height, width) in pixels. How each number is rounded decides single pixels: a side
that follows the other is cut off in one mode and rounded in the others, and ``round`` takes halves
to the even neighbour.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from zoo.spec import Pair, Resize

_TRAIN_AREA = (0.9, 1.0)  # a training crop's share of the picture
_TRAIN_SHAPE = (3 / 4, 4 / 3)  # its width / height, uniform in the logarithm


class Box(NamedTuple):
    """Part of a picture, in pixels."""

    top: int
    left: int
    height: int
    width: int


def resized(size: Pair, target: Pair, mode: Resize) -> Pair:
    """The size that a picture of this size is brought to, before it is cropped or padded.

    ``shortest`` covers the target, ``longest`` fits into it, ``squash`` is the target. A side can
    come out as 0 under ``longest`` when the picture is very long and thin.
    """
    height, width = size
    if mode == "squash":
        return target
    if mode == "shortest" and target[0] == target[1]:
        long = int(target[0] * max(size) / min(size))
        return (long, target[1]) if height > width else (target[0], long)
    choose = max if mode == "longest" else min
    ratio = choose(height / target[0], width / target[1])
    return round(height / ratio), round(width / ratio)


def centred(size: Pair, target: Pair) -> Box:
    """The middle of a picture that is at least as large as the target."""
    top, left = (round((have - want) / 2) for have, want in zip(size, target, strict=True))
    return Box(top, left, *target)


def borders(size: Pair, target: Pair) -> tuple[int, int, int, int]:
    """What brings a picture that fits into the target up to it: left, top, right, bottom."""
    rows, columns = target[0] - size[0], target[1] - size[1]
    return columns // 2, rows // 2, (columns + 1) // 2, (rows + 1) // 2


def random_box(size: Pair, rng: np.random.Generator) -> Box:
    """A box of random area, shape and place, drawn as torchvision's ``RandomResizedCrop`` does.

    Ten tries may not fit a picture that is long and thin; it then loses the ends that make it so.
    """
    height, width = size
    for _ in range(10):
        area = height * width * rng.uniform(*_TRAIN_AREA)
        shape = math.exp(rng.uniform(math.log(_TRAIN_SHAPE[0]), math.log(_TRAIN_SHAPE[1])))
        box = round(math.sqrt(area / shape)), round(math.sqrt(area * shape))
        if 0 < box[0] <= height and 0 < box[1] <= width:
            top, left = rng.integers(height - box[0] + 1), rng.integers(width - box[1] + 1)
            return Box(int(top), int(left), *box)
    box = (
        min(height, round(width / _TRAIN_SHAPE[0])),
        min(width, round(height * _TRAIN_SHAPE[1])),
    )
    return Box((height - box[0]) // 2, (width - box[1]) // 2, *box)
