"""Against open_clip's own resizing, which is torch's."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zoo.models.positions import resize_image_positions, resize_text_positions
from zoo.verify.reference.libraries import open_clip, torch

pytestmark = [pytest.mark.paddle, pytest.mark.reference]
EPS64 = 2.0**-52


def as_open_clip(stored: np.ndarray, grid: tuple[int, int], length: int) -> dict[str, np.ndarray]:
    model = SimpleNamespace(
        visual=SimpleNamespace(grid_size=grid),
        positional_embedding=torch.empty(length, stored.shape[1]),
    )
    state = {
        "visual.positional_embedding": torch.tensor(stored),
        "positional_embedding": torch.tensor(stored),
    }
    open_clip.model.resize_pos_embed(state, model)
    open_clip.model.resize_text_pos_embed(state, model)
    return {name: tensor.numpy() for name, tensor in state.items()}


@pytest.mark.parametrize("old", [1, 3, 7, 16])
@pytest.mark.parametrize("grid", [(7, 7), (12, 12), (27, 27), (5, 9), (24, 3), (2, 2), (1, 1)])
def test_equal_to_open_clip(old, grid):
    """Both are sums of old * old products in float64; torch's own float32 is no measure of it."""
    stored = np.random.default_rng(0).normal(size=(old * old + 1, 5))
    theirs = as_open_clip(stored, grid, length=grid[0] * grid[1])
    bound = 4 * old * old * EPS64 * np.abs(stored).max() + 8 * EPS64
    image = resize_image_positions(stored, grid)
    assert np.abs(image - theirs["visual.positional_embedding"]).max() <= bound
    text = resize_text_positions(stored, grid[0] * grid[1])
    assert np.abs(text - theirs["positional_embedding"]).max() <= bound
