from __future__ import annotations

import numpy as np
import pytest

from zoo.errors import ConfigError
from zoo.models.positions import (
    bicubic_matrix,
    linear_matrix,
    resize_image_positions,
    resize_text_positions,
)

pytestmark = pytest.mark.paddle  # the package imports it
EPS64 = 2.0**-52


@pytest.mark.parametrize("matrix", [bicubic_matrix, linear_matrix])
@pytest.mark.parametrize(("old", "new"), [(7, 12), (16, 7), (5, 5), (3, 1), (1, 4)])
def test_weights_sum_to_one(matrix, old, new):
    weights = matrix(old, new)
    assert weights.shape == (new, old)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=8 * EPS64)


def test_the_same_size_changes_nothing():
    np.testing.assert_array_equal(bicubic_matrix(7, 7), np.eye(7))
    np.testing.assert_array_equal(linear_matrix(7, 7), np.eye(7))


def test_doubling_by_hand():
    """Samples at -1/4, 1/4, 3/4, 5/4 of a spacing; Keys' kernel at 1/4, 3/4, 5/4, 7/4."""
    near, middle, far, farthest = 0.8671875, 0.2265625, -0.0703125, -0.0234375
    inner = bicubic_matrix(8, 16)[7]  # between points 3 and 4, nearer to 3
    np.testing.assert_allclose(inner[2:6], [far, near, middle, farthest], atol=4 * EPS64)
    np.testing.assert_allclose(
        linear_matrix(3, 6)[:3], [[1, 0, 0], [0.75, 0.25, 0], [0.25, 0.75, 0]]
    )


def test_the_class_token_stays_and_the_grid_is_resized_by_axis():
    """Positions that are row + 10 * column grow to the same ramp, inside; the ends know no more."""
    rows, columns = np.mgrid[0:6, 0:6].astype(np.float64)
    stored = np.concatenate([[[77.0]], (rows + 10 * columns).reshape(-1, 1)]).astype(np.float32)
    resized = resize_image_positions(stored, (12, 18))
    assert resized.shape == (1 + 12 * 18, 1) and resized[0] == 77
    grid = resized[1:].reshape(12, 18)
    i, j = np.mgrid[0:12, 0:18]
    expected = (i + 0.5) / 2 - 0.5 + 10 * ((j + 0.5) / 3 - 0.5)
    np.testing.assert_allclose(grid[4:8, 6:12], expected[4:8, 6:12], rtol=16 * EPS64)


def test_text_keeps_its_ends():
    stored = np.arange(12.0).reshape(6, 2)
    resized = resize_text_positions(stored, 11)
    np.testing.assert_array_equal(resized[[0, -1]], stored[[0, -1]])
    assert resized.shape == (11, 2)


def test_only_a_square_grid_is_known():
    with pytest.raises(ConfigError, match="20 stored image positions"):
        resize_image_positions(np.zeros((21, 3), np.float32), (5, 5))
