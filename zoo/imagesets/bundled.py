"""The bundled checkpoint's own data: handwritten digits that it has never seen.

open_clip's predictions of them come with the checkpoint, and so does its top-1.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from zoo import data
from zoo.convert.readers import open_checkpoint
from zoo.imagesets.imageset import ImageSet, Picture

NAME = data.BUNDLED
HELD_OUT = "tiny/held_out.safetensors"


@dataclass(frozen=True, kw_only=True)
class Grey:
    """A grey picture, uint8 [height, width]."""

    pixels: NDArray[np.uint8]

    @property
    def size(self) -> int:
        return self.pixels.size

    def read(self) -> bytes:
        """As a PGM file."""
        height, width = self.pixels.shape
        return f"P5 {width} {height} 255\n".encode() + self.pixels.tobytes()


class _Facts(msgspec.Struct):
    classes: tuple[str, ...]
    templates: tuple[str, ...]
    top1: dict[str, int]


def held_out_digits() -> ImageSet:
    """The digits that were held out of the training."""
    facts = _facts()
    with open_checkpoint(data.path(HELD_OUT)) as held_out:
        pictures = np.array(held_out.tensor("images"))
        labels = np.array(held_out.tensor("labels"))
    return ImageSet(
        name=NAME,
        layout="bundled with zoo",
        classes=facts.classes,
        templates=facts.templates,
        pictures=tuple(
            Picture(name=f"{place:03}", label=int(label), stored=Grey(pixels=pixels))
            for place, (pixels, label) in enumerate(zip(pictures, labels, strict=True))
        ),
        expected=facts.top1["of"],
        whole=len(pictures) == facts.top1["of"],
    )


def open_clips_scores() -> NDArray[np.float32]:
    """What open_clip made of each digit: 100 * cosine, [pictures, classes]."""
    with open_checkpoint(data.path(HELD_OUT)) as held_out:
        return np.array(held_out.tensor("scores"), np.float32)


def open_clips_top1() -> tuple[int, int]:
    """How many of the digits open_clip classifies correctly, and of how many."""
    top1 = _facts().top1
    return top1["correct"], top1["of"]


def _facts() -> _Facts:
    return msgspec.json.decode(data.path("tiny/zero_shot.json").read_bytes(), type=_Facts)
