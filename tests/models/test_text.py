from __future__ import annotations

import numpy as np
import pytest

from zoo.models.text import TextTower
from zoo.runtime import import_paddle
from zoo.verify.tolerance import EPS

pytestmark = pytest.mark.paddle
paddle = import_paddle()


def tower(spec):
    paddle.seed(0)
    return TextTower(spec.text, spec.embed_dim)


def test_what_follows_the_end_token_counts_for_nothing(spec, inputs):
    text = tower(spec)
    tokens = inputs[1]
    changed = tokens.copy()
    for row in changed:
        row[row.argmax() + 1 :] = 50
    with paddle.no_grad():
        np.testing.assert_array_equal(
            text(paddle.to_tensor(tokens)).numpy(), text(paddle.to_tensor(changed)).numpy()
        )


def test_what_precedes_it_counts(spec, inputs):
    text = tower(spec)
    changed = inputs[1].copy()
    changed[:, 0] += 1
    with paddle.no_grad():
        before, after = (text(paddle.to_tensor(t)).numpy() for t in (inputs[1], changed))
    assert (np.abs(before - after).max(axis=1) > 1e-3).all()


def test_cutting_changes_nothing(spec, inputs):
    """A matrix product of other sizes may sum in another order, and nothing else may happen."""
    text = tower(spec)
    tokens = paddle.to_tensor(inputs[1])
    with paddle.no_grad():
        whole, cut = text(tokens).numpy(), text(tokens[:, :9]).numpy()
    assert np.abs(whole - cut).max() <= 4 * EPS * np.abs(whole).max()
