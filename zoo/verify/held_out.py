"""The bundled checkpoint's own test: held-out digits, with what open_clip made of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from zoo import data
from zoo.convert.readers import open_checkpoint
from zoo.spec.fields import read_json_object

if TYPE_CHECKING:
    from zoo.inputs.preprocess import Preprocess
    from zoo.models.clip import CLIP

SCALE = 100.0  # the zero-shot protocol's constant; the logit scale plays no part in it


@dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Labels and predictions, int64 [n] each."""

    labels: NDArray[np.int64]
    ours: NDArray[np.int64]
    open_clip: NDArray[np.int64]

    @property
    def agreeing(self) -> int:
        """Pictures on which both predict the same."""
        return int(np.count_nonzero(self.ours == self.open_clip))

    def top1(self, predictions: NDArray[np.int64]) -> float:
        """Percent of the pictures predicted right."""
        return 100.0 * float(np.mean(predictions == self.labels))


def classify_held_out(model: CLIP, preprocess: Preprocess) -> HeldOut:
    """Classifies the held-out digits with the bundled model; ties go to the lowest index."""
    prompts = read_json_object(data.path("tiny/zero_shot.json"))
    with open_checkpoint(data.path("tiny/held_out.safetensors")) as held_out:
        pictures = [Image.fromarray(np.array(picture)) for picture in held_out.tensor("images")]
        labels = np.array(held_out.tensor("labels"))
        theirs = np.array(held_out.tensor("predictions"))
    pixels = np.stack([preprocess(picture) for picture in pictures])
    classifier = model.build_zero_shot_classifier(prompts["classes"], prompts["templates"])
    scores = SCALE * np.asarray(model.encode_image(pixels, normalize=True)) @ np.asarray(classifier)
    return HeldOut(labels=labels, ours=scores.argmax(axis=1), open_clip=theirs)
