"""What bfloat16 costs in accuracy, measured on a sample of the very pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.deploy.encoder import Encoder
from zoo.imagesets.ahead import prepare_batch
from zoo.imagesets.imageset import Picture

SAMPLE = 256  # pictures: each costs what it costs in float32
BATCH = 32

Classify = Callable[[NDArray[np.float32]], NDArray[np.int64]]  # features [n, E] -> classes [n]


def measure_cost(
    rounded: Encoder,
    exact: Encoder,
    pictures: Sequence[Picture],
    classify: Classify | None = None,
) -> dict[str, Any]:
    """Both encoders on the same pictures, evenly spread over all of them.

    Args:
        rounded: the encoder that was asked for.
        exact: the same model in float32.
        pictures: all of them; what can't be read is left out.
        classify: what is made of the features, where something is.

    Returns:
        ``images``; the mean and the largest of 1 - cosine between both features; ``flips``.
    """
    assert rounded.spec.preprocess is not None
    step = max(1, -(-len(pictures) // SAMPLE))
    sample = pictures[::step]
    apart: list[float] = []
    flips = 0
    for start in range(0, len(sample), BATCH):
        pixels = prepare_batch(sample[start : start + BATCH], rounded.spec.preprocess).pixels
        if not len(pixels):
            continue
        ours, theirs = (encoder.encode_image(pixels) for encoder in (rounded, exact))
        apart += (1 - np.sum(ours.astype(np.float64) * theirs, axis=1)).tolist()
        if classify is not None:
            flips += int(np.sum(classify(ours) != classify(theirs)))
    found: dict[str, Any] = {"images": len(apart)}
    if apart:
        found |= {"mean 1 - cosine": sum(apart) / len(apart), "largest 1 - cosine": max(apart)}
    return found if classify is None else {**found, "flips": flips}
