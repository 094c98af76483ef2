"""Position embeddings of another size, interpolated as open_clip does when it loads a checkpoint.

open_clip calls torch's ``interpolate``: for pictures bicubic with ``antialias=True``, for texts
linear without; ``align_corners=False`` in both. Each is a matrix per axis, which is what this
module computes, in float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ConfigError
from zoo.spec import Pair

Floats = NDArray[np.float64]

CUBIC = -0.5  # Keys' parameter: torch's choice with antialias, and Pillow's


def resize_image_positions(stored: NDArray[Any], grid: Pair) -> Floats:
    """Position embeddings of a picture, its class token's first.

    Args:
        stored: [1 + n, W], n patches on a square grid: the file does not say which other.
        grid: rows and columns of the new grid.

    Returns:
        [1 + rows * columns, W]

    Raises:
        ConfigError: n is no square.
    """
    old = math.isqrt(len(stored) - 1)
    if old * old != len(stored) - 1:
        raise ConfigError(
            f"{len(stored) - 1} stored image positions are not a square grid, so that they can't "
            f"be interpolated"
        )
    start, patches = np.split(stored.astype(np.float64), [1])
    rows, columns = bicubic_matrix(old, grid[0]), bicubic_matrix(old, grid[1])
    resized = np.einsum(
        "ri,cj,ijw->rcw", rows, columns, patches.reshape(old, old, -1), optimize=True
    )
    return np.concatenate([start, resized.reshape(grid[0] * grid[1], -1)])


def resize_text_positions(stored: NDArray[Any], length: int) -> Floats:
    """Position embeddings of a text: [n, W] -> [length, W]"""
    return linear_matrix(len(stored), length) @ stored.astype(np.float64)


def bicubic_matrix(old: int, new: int) -> Floats:
    """[new, old]: torch's antialiased bicubic filter along one axis.

    Sample i lies at (i + 1/2) old / new. The kernel is as wide as the old spacing, or as the new
    one where that is wider; weights that fall off the edge are left out and the rest sum to 1.
    """
    stretch = max(old / new, 1.0)
    centers = (np.arange(new)[:, None] + 0.5) * old / new
    distance = np.abs(np.arange(old) + 0.5 - centers) / stretch
    weights = _cubic(distance)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _cubic(x: Floats) -> Floats:
    """Keys' cubic convolution kernel for x >= 0 (IEEE TASSP 29, 1981)."""
    a = CUBIC
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


def linear_matrix(old: int, new: int) -> Floats:
    """[new, old]: linear interpolation along one axis, constant beyond the first and last point."""
    centers = np.clip((np.arange(new)[:, None] + 0.5) * old / new - 0.5, 0, old - 1)
    return np.asarray(np.maximum(1 - np.abs(np.arange(old) - centers), 0.0))
