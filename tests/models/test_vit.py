from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.models.vit import VisionTower, drop_patches
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()


def test_dropping_keeps_the_class_token_and_different_patches():
    """Every token holds its own index; 13 patches, 0.3 of which go, leave int(13 * 0.7) = 9."""
    paddle.seed(0)
    x = paddle.arange(14, dtype="float32").reshape([1, 14, 1]).expand([6, 14, 2])
    kept = drop_patches(x, 0.3).numpy()
    assert kept.shape == (6, 10, 2)
    assert (kept[:, 0] == 0).all()
    chosen = [frozenset(row[1:, 0]) for row in kept]
    assert all(len(row) == 9 and min(row) >= 1 for row in chosen)
    assert len(set(chosen)) > 1, "pictures lose different patches"
    np.testing.assert_array_equal(kept[..., 0], kept[..., 1])


def test_one_patch_always_stays():
    assert drop_patches(paddle.ones([2, 4, 3]), 0.99).shape == [2, 2, 3]


def test_patches_are_dropped_in_training_only(spec, inputs):
    tower = VisionTower(replace(spec.vision, patch_dropout=0.5), spec.embed_dim)
    seen = []
    tower.transformer.register_forward_pre_hook(lambda _, x: seen.append(x[0].shape[1]))
    pixels = paddle.to_tensor(inputs[0])
    tower.train()
    tower(pixels)
    tower.eval()
    tower(pixels)
    assert seen == [11, 21]


def test_patches_are_read_row_by_row(spec, inputs):
    """The third patch of the second row is token 1 + 1 * 4 + 2."""
    tower = VisionTower(replace(spec.vision, ln_pre=False), spec.embed_dim)
    embedded = []
    tower.transformer.register_forward_pre_hook(lambda _, x: embedded.append(x[0].numpy()))
    pixels = inputs[0].copy()
    tower(paddle.to_tensor(pixels))
    pixels[:, :, 7:14, 14:21] += 1
    tower(paddle.to_tensor(pixels))
    before, after = embedded
    changed = np.abs(after - before).max(axis=(0, 2)) > 0
    assert list(np.flatnonzero(changed)) == [1 + 1 * 4 + 2]
