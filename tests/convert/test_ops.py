from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from zoo.convert.ops import (
    Array,
    Chain,
    Concat,
    Copy,
    Op,
    Reshape,
    Same,
    ShapeError,
    Split,
    Spread,
    Transpose,
)
from zoo.errors import FormatError


def ramp(*shape: int, start: int = 0) -> Array:
    """Every element is its own label."""
    return np.arange(start, start + int(np.prod(shape, dtype=int))).reshape(shape)


def test_copy_leaves_everything_as_it_is() -> None:
    (made,) = Copy().apply([ramp(2, 3)])
    assert made.tolist() == [[0, 1, 2], [3, 4, 5]]


def test_transpose_turns_rows_into_columns() -> None:
    first, second = Transpose().apply([ramp(2, 3), ramp(1, 2)])
    assert first.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert second.tolist() == [[0], [1]]


def test_split_keeps_the_order_of_the_rows() -> None:
    q, k, v = Split(3).apply([ramp(6, 2)])
    assert q.tolist() == [[0, 1], [2, 3]]
    assert k.tolist() == [[4, 5], [6, 7]]
    assert v.tolist() == [[8, 9], [10, 11]]


def test_concat_stacks_along_the_first_axis() -> None:
    (made,) = Concat(2).apply([ramp(1, 2), ramp(1, 2, start=2)])
    assert made.tolist() == [[0, 1], [2, 3]]


def test_reshape_keeps_the_order_of_the_elements() -> None:
    (made,) = Reshape((2, 3), (3, 2)).apply([ramp(2, 3)])
    assert made.tolist() == [[0, 1], [2, 3], [4, 5]]
    (scale,) = Reshape((), (1,)).apply([np.array(7)])
    assert scale.tolist() == [7]


def test_a_chain_goes_from_left_to_right() -> None:
    """Packed attention: three matrices [out, in], one above the other, become three [in, out]."""
    q, k, v = Chain((Split(3), Transpose())).apply([ramp(6, 2)])
    assert q.tolist() == [[0, 2], [1, 3]]
    assert k.tolist() == [[4, 6], [5, 7]]
    assert v.tolist() == [[8, 10], [9, 11]]


CASES: list[tuple[Op, list[Array], str]] = [
    (Copy(), [ramp(2, 3)], "copy"),
    (Transpose(), [ramp(2, 3), ramp(4, 5)], "transpose"),
    (Split(3), [ramp(6, 2)], "split 3"),
    (Split(3), [ramp(6)], "split 3"),
    (Concat(2), [ramp(2, 3), ramp(2, 3, start=6)], "concat 2"),
    (Reshape((), (1,)), [np.array(7)], "reshape [] to [1]"),
    (Chain((Split(3), Transpose())), [ramp(6, 5)], "split 3, transpose"),
    (Chain((Transpose(), Concat(2))), [ramp(3, 2), ramp(3, 2, start=6)], "transpose, concat 2"),
    (Chain(()), [ramp(2)], ""),
    (Same(2), [ramp(2, 3), ramp(2, 3)], "one of 2 equal"),
    (Spread(3), [ramp(2, 3)], "to 3 alike"),
]


@pytest.mark.parametrize(("op", "arrays", "text"), CASES, ids=[case[2] for case in CASES])
def test_an_operation_foretells_its_shapes_and_carries_its_inverse(
    op: Op, arrays: list[Array], text: str
) -> None:
    shapes = [array.shape for array in arrays]
    made = op.apply(arrays)
    assert op.shapes(shapes) == [array.shape for array in made]
    back = op.inverse()
    assert back.shapes([array.shape for array in made]) == shapes
    for array, again in zip(arrays, back.apply(made), strict=True):
        assert np.array_equal(array, again)
    assert back.inverse() == op
    assert str(op) == text


@pytest.mark.parametrize(
    ("op", "shapes"),
    [
        (Transpose(), [(2,)]),
        (Transpose(), [(2, 3), (2, 3, 4)]),
        (Split(3), [(4, 2)]),
        (Split(3), [()]),
        (Concat(2), [(2, 3), (2, 4)]),
        (Concat(2), [(), ()]),
        (Reshape((), (1,)), [(1,)]),
        (Chain((Split(3), Transpose())), [(6,)]),
    ],
)
def test_shapes_that_do_not_fit_are_refused(op: Op, shapes: Sequence[tuple[int, ...]]) -> None:
    with pytest.raises(ShapeError):
        op.shapes(shapes)


def test_a_reshape_can_t_change_the_count() -> None:
    with pytest.raises(ValueError, match="different counts"):
        Reshape((2,), (3,))


def test_only_concat_copies() -> None:
    for op, arrays, text in CASES:
        made: list[Any] = op.apply(arrays)
        shared = any(np.shares_memory(array, arrays[0]) for array in made)
        assert shared is ("concat" not in text)


def test_parts_that_should_be_alike_are_compared_to_the_bit() -> None:
    zero, other = np.zeros(2, np.float32), np.array([0.0, -0.0], np.float32)
    with pytest.raises(FormatError, match="differs between the parts"):
        Same(2).apply([zero, other])
    with pytest.raises(ShapeError, match="different shapes"):
        Same(2).shapes([(2,), (3,)])
