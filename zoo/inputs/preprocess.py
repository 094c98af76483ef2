"""Pictures to the image tower's input, equal to the bit to open_clip's transforms on PIL images.

The conversion to RGB comes after resizing, as in open_clip: it decides what becomes of palettes, of
black and white pictures, and of transparency, which weights the colours and is then dropped.
Nothing is turned upright by EXIF.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from zoo.errors import FormatError, UsageError
from zoo.inputs import geometry
from zoo.inputs.images import MAX_PIXELS
from zoo.spec import Pair, PreprocessSpec

_FILTERS = {
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
}


class Preprocess:
    """The evaluation transform; ``train`` is the training transform.

    Both return a C-contiguous float32 array [3, height, width] of ``(pixel / 255 - mean) / std``,
    pixels in [0, 255].

    Raises:
        UsageError: what should be a PIL image is none.
        FormatError: a picture has no pixels, or would have none after scaling, or more than can be
            held in memory.
    """

    def __init__(self, spec: PreprocessSpec) -> None:
        self.spec = spec
        self._mean, self._std = (
            np.array(values, dtype=np.float32).reshape(3, 1, 1) for values in (spec.mean, spec.std)
        )

    def __call__(self, image: Image.Image) -> NDArray[np.float32]:
        spec = self.spec
        size = geometry.resized(_size(image), spec.size, spec.resize)
        if 0 in size:
            raise FormatError(f"A picture of {_shown(image)} pixels is too thin to be scaled down")
        if math.prod(size) > MAX_PIXELS:
            raise FormatError(
                f"A picture of {_shown(image)} pixels is too thin: scaled by its short side it "
                f"would have {math.prod(size):,}, and at most {MAX_PIXELS:,} are computed"
            )
        image = _resize(image, size, self._filter())
        if spec.resize == "shortest":
            image = _crop(image, geometry.centred(size, spec.size))
        elif spec.resize == "longest":
            image = _pad(image, geometry.borders(size, spec.size), spec.fill)
        return self._normalize(image)

    def train(
        self, image: Image.Image, *, rng: np.random.Generator | None = None
    ) -> NDArray[np.float32]:
        """The training transform: a random crop of at least 0.9 of the area, resized by bicubic.

        Args:
            rng: source of the crop's place; by default a fresh one for every picture, because a
                generator kept here would repeat itself in forked data-loading processes.
        """
        box = geometry.random_box(_size(image), rng or np.random.default_rng())
        # open_clip trains with bicubic, whatever the evaluation's interpolation is
        image = _resize(_crop(image, box), self.spec.size, Image.Resampling.BICUBIC)
        return self._normalize(image)

    def _filter(self) -> Image.Resampling:
        spec = self.spec
        if spec.resize == "shortest" and spec.size[0] != spec.size[1]:
            return Image.Resampling.BICUBIC  # open_clip drops the interpolation in this case
        return _FILTERS[spec.interpolation]

    def _normalize(self, image: Image.Image) -> NDArray[np.float32]:
        pixels = np.asarray(image.convert("RGB")).transpose(2, 0, 1)
        values = pixels.astype(np.float32, order="C")
        values /= 255
        values -= self._mean
        values /= self._std
        return values


def _size(image: Image.Image) -> Pair:
    if not isinstance(image, Image.Image):
        raise UsageError(
            f"A picture must be a PIL image, not {type(image).__name__}",
            remedy="Open a file with zoo.inputs.images.open_image.",
        )
    if 0 in image.size:
        raise FormatError(f"A picture of {_shown(image)} has no pixels")
    return image.height, image.width


def _shown(image: Image.Image) -> str:
    return f"{image.width} x {image.height}"


def _resize(image: Image.Image, size: Pair, resample: Image.Resampling) -> Image.Image:
    return image.resize((size[1], size[0]), resample)


def _crop(image: Image.Image, box: geometry.Box) -> Image.Image:
    return image.crop((box.left, box.top, box.left + box.width, box.top + box.height))


def _pad(image: Image.Image, borders: tuple[int, int, int, int], fill: int) -> Image.Image:
    bands = len(image.getbands())
    return ImageOps.expand(image, borders, fill if bands == 1 else (fill,) * bands)
