from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from zoo.convert import chunks
from zoo.convert.chunks import BFLOAT16, BLOCK, DTYPES, Array, Counts, dtype_name, pieces
from zoo.errors import FormatError

TYPES = list(DTYPES)


def streamed(array: Array, dtype: str) -> tuple[bytes, Counts]:
    counts = Counts()
    return b"".join(pieces(array, DTYPES[dtype], counts)), counts


def plain(array: Array, dtype: str) -> tuple[bytes, Counts]:
    """The same at once, as numpy has it."""
    with np.errstate(all="ignore"):
        cast = array.astype(DTYPES[dtype])
    finite = np.isfinite(array)
    return cast.tobytes(), Counts(
        nonfinite=int(np.sum(~finite)),
        overflowed=int(np.sum(finite & ~np.isfinite(cast))),
        vanished=int(np.sum((array != 0) & (cast == 0))),
    )


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "PIECE", 10)


NUMBERS = [0.0, -0.0, 1.0, -1.5, 65504.0, 65520.0, 1e-8, 3e-8, -7e4, 1e-45, 3.4e38, np.inf, np.nan]


@pytest.mark.parametrize("to", TYPES)
@pytest.mark.parametrize("stored", TYPES)
def test_casts_and_counts_are_numpy_s(small_pieces: None, stored: str, to: str) -> None:
    with np.errstate(all="ignore"):
        array = np.array(NUMBERS * 4).astype(DTYPES[stored]).reshape(13, 4)
    for view in (array, array.T, array[::2, 1:]):
        assert streamed(view, to) == plain(view, to)


def test_each_count_counts_what_it_says() -> None:
    array = np.array(NUMBERS, dtype=np.float32)
    # In float16 65520 and beyond round to infinity, 2 ** -25 and below to zero; in bfloat16
    # 3.4e38 and 1e-45 do.
    assert streamed(array, "float16")[1] == Counts(nonfinite=2, overflowed=3, vanished=2)
    assert streamed(array, "bfloat16")[1] == Counts(nonfinite=2, overflowed=1, vanished=1)
    assert streamed(array, "float32")[1] == Counts(nonfinite=2, overflowed=0, vanished=0)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_a_sum_that_overflows_is_no_infinite_value(dtype: str) -> None:
    array = np.full(1000, 3e38 if dtype != "float16" else 6e4).astype(DTYPES[dtype])
    assert streamed(array, dtype) == (array.tobytes(), Counts())


def test_infinities_that_cancel_are_counted() -> None:
    assert streamed(np.array([np.inf, -np.inf]), "float64")[1].nonfinite == 2


@given(
    npst.arrays(np.float32, npst.array_shapes(max_dims=3, max_side=9)),
    st.sampled_from(["float16", "float32"]),
)
def test_any_array_is_streamed_as_numpy_would_write_it(array: Array, to: str) -> None:
    for view in (array, array.T):
        assert streamed(view, to) == plain(view, to)


@given(npst.arrays(np.uint32, 20, elements=st.integers(0, 0xFF7FFFFF)))
def test_bfloat16_is_rounded_to_the_nearest_even(bits: Array) -> None:
    finite = bits[(bits & 0x7F800000) != 0x7F800000]
    rounded = (finite + 0x7FFF + ((finite >> 16) & 1)) >> 16
    assert streamed(finite.view(np.float32), "bfloat16")[0] == rounded.astype(np.uint16).tobytes()


@pytest.mark.parametrize("side", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])
def test_a_transposed_matrix_is_copied_block_by_block(side: int) -> None:
    matrix = np.arange(side * 300, dtype=np.float32).reshape(side, 300)
    for view in (matrix.T, matrix[:, ::2], matrix[::-1]):
        assert streamed(view, "float32")[0] == view.tobytes()


@pytest.mark.parametrize("shape", [(), (1,), (0,), (0, 3), (3, 0), (2, 0, 4)])
def test_scalars_and_empty_tensors_have_their_bytes(shape: tuple[int, ...]) -> None:
    array = np.full(shape, 7, dtype=np.float32)
    assert streamed(array, "float32") == (array.tobytes(), Counts())
    assert streamed(array, "bfloat16")[0] == array.astype(BFLOAT16).tobytes()


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [
        ((25,), [10, 10, 5]),
        ((7, 3), [9, 9, 3]),
        ((2, 11), [11, 11]),
        ((2, 2, 3), [6, 6]),
        ((), [1]),
    ],
)
def test_a_piece_is_a_few_rows_whatever_the_type(
    small_pieces: None, shape: tuple[int, ...], lengths: list[int]
) -> None:
    array = np.ones(shape, dtype=np.float32)
    for dtype in TYPES:
        found = [len(piece) for piece in pieces(array, DTYPES[dtype], Counts())]
        assert found == [length * DTYPES[dtype].itemsize for length in lengths]


def test_only_floating_types_are_weights() -> None:
    assert [dtype_name(dtype, "w") for dtype in DTYPES.values()] == TYPES
    with pytest.raises(FormatError, match="a weight of type int64") as caught:
        dtype_name(np.dtype(np.int64), "w")
    assert caught.value.where == "w"
