from __future__ import annotations

import numpy as np
import pytest

from zoo.models.clip import CLIP
from zoo.models.initialize import initialize

pytestmark = pytest.mark.paddle


def state(model) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def test_a_seed_is_a_model(spec):
    first, again, other = (state(initialize(CLIP(spec), seed)) for seed in (5, 5, 6))
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    drawn = {name for name in first if (first[name] != other[name]).any()}
    constant = {name for name in first if ".ln_" in name or name.startswith(("ln_", "logit_scale"))}
    biases = {n for n in first if n.endswith("bias") and ".attn." in n}
    assert drawn == first.keys() - constant - biases


def test_no_two_parameters_are_alike(spec):
    weights = state(initialize(CLIP(spec), 0))
    attention = [w for n, w in weights.items() if n.endswith("_proj.weight") and ".attn." in n]
    firsts = {float(w[0, 0]) for w in attention}
    assert len(firsts) == len(attention)


def test_the_first_draw_of_seed_zero(spec):
    """Philox is specified, so another machine draws the same."""
    embedding = initialize(CLIP(spec), 0).visual.class_embedding.numpy()
    expected = np.random.Generator(np.random.Philox(0)).normal(0, 39**-0.5, 39)
    np.testing.assert_array_equal(embedding, expected.astype(np.float32))
