"""What towers are given, as files: random, the same in every run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from zoo.inputs import bpe
from zoo.spec import CLIPSpec

CONTEXT = 77


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
