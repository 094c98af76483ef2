"""What towers are given, as files: random, the same in every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zoo.inputs import bpe
from zoo.spec import CLIPSpec

CONTEXT = 77
SHORTEST, LONGEST = 8, 19  # tokens of a caption


def pictures(path: Path, spec: CLIPSpec, count: int) -> Path:
    """Preprocessed pictures, float32 [count, 3, height, width]."""
    assert spec.vision is not None
    shape = (count, 3, *spec.vision.image_size)
    np.save(path, np.random.default_rng(0).standard_normal(shape, dtype=np.float32))
    return path


def texts(path: Path, count: int, length: int) -> Path:
    """Token ids, int64 [count, CONTEXT], whose end token is the ``length``-th."""
    tokens = np.zeros((count, CONTEXT), np.int64)
    tokens[:, :length] = np.random.default_rng(0).integers(1, bpe.START, (count, length))
    tokens[:, 0], tokens[:, length - 1] = bpe.START, bpe.END
    np.save(path, tokens)
    return path


def captions(count: int) -> NDArray[np.int64]:
    """Token ids of natural lengths, [count, CONTEXT]."""
    draw = np.random.default_rng(0)
    lengths = draw.integers(SHORTEST, LONGEST + 1, count)
    tokens = draw.integers(1, bpe.START, (count, CONTEXT))
    tokens[np.arange(CONTEXT) >= lengths[:, None]] = 0
    tokens[:, 0] = bpe.START
    tokens[np.arange(count), lengths - 1] = bpe.END
    return tokens


def pairs(path: Path, spec: CLIPSpec, tokens: NDArray[np.int64]) -> Path:
    """A training batch: random pictures for these captions."""
    assert spec.vision is not None
    shape = (len(tokens), 3, *spec.vision.image_size)
    pixels = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    np.savez(path, pixels=pixels, tokens=tokens)
    return path
