"""Retrieval in both directions: which captions a picture finds, and which picture a caption finds.

Recall@k is a rate of queries: of pictures that find one of their own captions among the k nearest,
and of captions that find their picture. Ties go to the lowest index.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from zoo.verify.journal import Kept

TEXTS = "texts.npy"  # the captions' features, beside the pictures'
TOP = (1, 5, 10)
ROWS = 1024  # queries at a time: COCO's whole matrix would take half a gigabyte


class Features(Kept, frozen=True, kw_only=True):
    """A picture's unit feature: the bytes of float32 [E], of the machine that made them."""

    FILE = "features.jsonl"
    feature: bytes | None


def stack(rows: Sequence[Features]) -> NDArray[np.float32]:
    """The features of pictures that all could be read, [n, E]."""
    return np.stack([np.frombuffer(row.feature or b"", np.float32) for row in rows])


def recalls(
    images: NDArray[np.float32], texts: NDArray[np.float32], owner: Sequence[int]
) -> dict[str, float]:
    """Recall at 1, 5 and 10 in percent.

    Args:
        images: unit features, [n, E].
        texts: unit features, [m, E].
        owner: the picture of each text.
    """
    belongs = np.asarray(owner)
    image_ranks = _nearest(images, texts)
    text_ranks = _nearest(texts, images)
    own_caption = belongs[image_ranks] == np.arange(len(images))[:, None]
    own_picture = text_ranks == belongs[:, None]
    return {
        f"{kind} recall@{k}": 100.0 * float(hits[:, :k].any(axis=1).mean())
        for kind, hits in (("text", own_caption), ("image", own_picture))
        for k in TOP
    }


def _nearest(queries: NDArray[np.float32], keys: NDArray[np.float32]) -> NDArray[np.int64]:
    """The indices of the nearest keys of each query, up to the largest k."""
    parts = [
        np.argsort(-(queries[start : start + ROWS] @ keys.T), axis=1, kind="stable")[:, : TOP[-1]]
        for start in range(0, len(queries), ROWS)
    ]
    return np.concatenate(parts)
