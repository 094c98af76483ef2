"""open_clip as the reference of tokens and pixels, and pictures to compare."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import ModuleType

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def picture() -> Callable[[str, int, int], Image.Image]:
    """A picture of a mode, width and height: coarse and fine structure in every channel."""

    @cache
    def draw(mode: str, width: int, height: int) -> Image.Image:
        y, x, band = np.ogrid[:height, :width, :4]
        values = (x * (band + 3) + y * y // (band + 5) + (x * y) % (7 + band) * 29) % 256
        bands = Image.fromarray(values.astype(np.uint8)).split()
        if mode == "I;16":
            return Image.fromarray(values[:, :, 0].astype(np.uint16) * 131)
        if mode == "P":
            return Image.merge("RGB", bands[:3]).quantize(64)
        if mode == "1":
            return bands[0].convert("1")
        return Image.merge(mode, bands[: len(Image.new(mode, (1, 1)).getbands())])

    return draw


@pytest.fixture(scope="session")
def open_clip() -> ModuleType:
    from zoo.verify.reference.libraries import open_clip

    return open_clip
