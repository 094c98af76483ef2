"""Blocks on rows compute what blocks on batches do."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from zoo.models.block import Transformer
from zoo.models.products import RowTransformer
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()
EPS = 2.0**-23


@pytest.mark.parametrize("causal", [False, True])
def test_rows_give_the_same(variant, causal):
    plain = Transformer(variant.text)
    x = paddle.randn([3, 6, variant.text.width])
    mask = paddle.full([6, 6], float("-inf")).triu(1) if causal else None
    at = paddle.to_tensor([5, 0, 3]).reshape([-1, 1, 1])
    with paddle.no_grad():
        expected = plain(x, mask, at).numpy()
        found = RowTransformer(copy.deepcopy(plain))(x, mask, at).numpy()
    # Sums of 33 to 162 terms, in another order, through three blocks.
    assert np.abs(found - expected).max() <= 3 * 162 * EPS * np.abs(expected).max()
    assert found.shape == (3, 1, variant.text.width)
