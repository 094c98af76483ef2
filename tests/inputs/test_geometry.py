from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.inputs.geometry import Box, borders, centred, random_box, resized

SIDES = st.integers(1, 3000)


@pytest.mark.parametrize(
    ("mode", "size", "target", "expected"),
    [
        ("shortest", (375, 500), (224, 224), (224, 298)),  # 298.67, cut off
        ("shortest", (500, 375), (224, 224), (298, 224)),
        ("shortest", (10, 10), (224, 224), (224, 224)),
        ("shortest", (375, 500), (224, 112), (224, 299)),  # not square: rounded
        ("shortest", (500, 375), (224, 320), (427, 320)),
        ("longest", (375, 500), (224, 224), (168, 224)),
        ("longest", (5, 448), (224, 224), (2, 224)),  # 2.5, to the even neighbour
        ("longest", (1, 500), (224, 224), (0, 224)),
        ("squash", (375, 500), (224, 112), (224, 112)),
    ],
)
def test_resized(
    mode: str, size: tuple[int, int], target: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert resized(size, target, mode) == expected


@pytest.mark.parametrize(
    ("long", "offset"),
    [(224, 0), (225, 0), (226, 1), (227, 2), (228, 2), (229, 2), (231, 4)],
)
def test_centred_rounds_halves_to_even(long: int, offset: int) -> None:
    assert centred((long, 224), (224, 224)) == Box(offset, 0, 224, 224)
    assert centred((224, long), (224, 224)) == Box(0, offset, 224, 224)


def test_borders_put_the_odd_pixel_right_and_below() -> None:
    assert borders((7, 4), (10, 9)) == (2, 1, 3, 2)


@given(size=st.tuples(SIDES, SIDES), seed=st.integers(0, 2**32))
def test_random_box_lies_within(size: tuple[int, int], seed: int) -> None:
    box = random_box(size, np.random.default_rng(seed))
    assert box.height > 0
    assert box.width > 0
    assert 0 <= box.top <= size[0] - box.height
    assert 0 <= box.left <= size[1] - box.width


def test_random_box_spreads_over_its_bounds() -> None:
    rng = np.random.default_rng(0)
    boxes = [random_box((1000, 1000), rng) for _ in range(2000)]
    share = np.array([box.height * box.width for box in boxes]) / 1e6
    # rounding each side moves the area by at most 0.1 %
    assert share.min() == pytest.approx(0.9, abs=2e-3)
    assert share.max() == pytest.approx(1.0, abs=2e-3)
    assert len({box.top for box in boxes}) > 50
    assert len({box.left for box in boxes}) > 50
    # a square picture holds a share of 0.9 only between the shapes 0.9 and 1 / 0.9
    shape = np.array([box.width / box.height for box in boxes])
    assert shape.min() == pytest.approx(0.9, abs=0.01)
    assert shape.max() == pytest.approx(1 / 0.9, abs=0.01)


@pytest.mark.parametrize(
    ("size", "box"),
    [((10, 500), Box(0, 243, 10, 13)), ((500, 10), Box(243, 0, 13, 10)), ((1, 1), Box(0, 0, 1, 1))],
)
def test_random_box_of_a_thin_picture_is_its_middle(size: tuple[int, int], box: Box) -> None:
    assert random_box(size, np.random.default_rng(0)) == box
