from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.convert.readers.layout import (
    Extent,
    Layout,
    TensorInfo,
    checked_shape,
    packed_strides,
    shown,
    strided,
)
from zoo.errors import FormatError

FLOAT32 = np.dtype(np.float32)


@pytest.mark.parametrize(("shape", "nbytes"), [((), 4), ((0, 3), 0), ((2, 3), 24)])
def test_nbytes_are_those_of_the_packed_elements(shape, nbytes):
    assert TensorInfo(dtype=FLOAT32, shape=shape).nbytes == nbytes


@given(shape=st.lists(st.integers(0, 4), max_size=5).map(tuple))
def test_packed_strides_are_numpys(shape):
    if math.prod(shape):
        assert packed_strides(shape, 4) == np.zeros(shape, FLOAT32).strides


@pytest.mark.parametrize(
    "shape",
    [
        "12",
        None,
        [-1],
        [1.0],
        [True],
        ["1"],
        [1] * 65,
        [2**62],
        [2**31, 2**31],
        [0, 2**62],  # numpy can't make this one either
        [2**4000],
    ],
)
def test_shapes_that_no_array_can_have(shape):
    with pytest.raises(FormatError, match="'w'"):
        checked_shape("w", shape, FLOAT32)


@pytest.mark.parametrize("shape", [[], [0], [2**60], [1] * 64])
def test_shapes_at_the_limit(shape):
    assert checked_shape("w", shape, FLOAT32) == tuple(shape)


@st.composite
def views(draw):
    """A storage of elements 0, 1, 2, ... and any view that numpy can make of it."""
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    strides = tuple(draw(st.integers(0, 9)) for _ in shape)
    start = draw(st.integers(0, 5))
    reach = start + sum((n - 1) * step for n, step in zip(shape, strides, strict=True)) + 1
    return shape, strides, start, reach


@given(view=views())
def test_a_view_within_its_storage_reads_what_numpy_reads(view):
    shape, strides, start, reach = view
    layout = strided(
        "w",
        FLOAT32,
        shape,
        start=start,
        strides=strides,
        storage=Extent(8, 4 * reach),
    )
    storage = np.arange(128, dtype=np.float32)
    expected = np.lib.stride_tricks.as_strided(
        storage[start:], shape, [4 * step for step in strides]
    )
    assert layout.offset == 8 + 4 * start
    assert np.array_equal(layout.array(_Bytes(b"\0" * 8 + storage.tobytes())), expected)


class _Bytes:
    """Enough of a MappedFile for a layout."""

    def __init__(self, content):
        self.content = memoryview(content)

    def view(self, offset, nbytes):
        return self.content[offset : offset + nbytes]


@given(view=views())
def test_a_view_that_reaches_beyond_its_storage_by_one_element(view):
    shape, strides, start, reach = view
    if 0 in shape:
        return
    with pytest.raises(FormatError, match="beyond its storage"):
        strided(
            "w",
            FLOAT32,
            shape,
            start=start,
            strides=strides,
            storage=Extent(8, 4 * reach - 1),
        )


@pytest.mark.parametrize(
    ("start", "strides"), [(0, (1,)), (0, [3, 1]), (0, (-3, 1)), (-1, (3, 1)), (0, (3.0, 1))]
)
def test_strides_that_torch_never_writes(start, strides):
    with pytest.raises(FormatError, match="'w'"):
        strided("w", FLOAT32, (2, 3), start=start, strides=strides, storage=Extent(0, 1000))


def test_the_stride_of_an_axis_of_one_may_be_anything():
    layout = strided("w", FLOAT32, (1, 2), start=0, strides=(2**62, 1), storage=Extent(0, 8))
    assert layout.array(_Bytes(np.arange(2, dtype=np.float32).tobytes())).tolist() == [[0, 1]]


def test_arrays_are_views_and_can_not_be_written():
    content = np.arange(6, dtype=np.float32).tobytes()
    layout = Layout(dtype=FLOAT32, shape=(3, 2), offset=0, strides=(4, 12))
    array = layout.array(_Bytes(content))
    assert array.tolist() == [[0, 3], [1, 4], [2, 5]]
    assert not array.flags.owndata
    assert not array.flags.writeable
    empty = Layout(dtype=FLOAT32, shape=(0, 2), offset=10**9, strides=(8, 4))
    assert not empty.array(_Bytes(b"")).flags.writeable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ln.weight", "'ln.weight'"),
        ("\x1b[31m\0", r"'\x1b[31m\x00'"),
        ("\N{PILE OF POO}", r"'\U0001f4a9'"),
        ("x" * 10_000, "'" + "x" * 80 + "'..."),
    ],
)
def test_text_from_files_is_shown_escaped_and_short(text, expected):
    assert shown(text) == expected
