from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.spec.ratio import ratio_of, width_of

WIDTHS = st.integers(1, 1 << 31)


@pytest.mark.parametrize(
    ("width", "mlp_width", "ratio"),
    [(768, 3072, 4.0), (1408, 6144, 4.3637), (1664, 8192, 4.9231)],  # B, g and bigG of open_clip
)
def test_the_published_ratios_give_the_published_widths(
    width: int, mlp_width: int, ratio: float
) -> None:
    assert width_of(width, ratio) == mlp_width


@given(WIDTHS, WIDTHS)
def test_a_ratio_gives_its_width_back(width: int, mlp_width: int) -> None:
    assert width_of(width, ratio_of(width, mlp_width)) == mlp_width


@given(st.integers(1, 5000), st.integers(1, 20000))
def test_no_shorter_decimal_would_do(width: int, mlp_width: int) -> None:
    ratio = ratio_of(width, mlp_width)
    decimals = len(repr(ratio).partition(".")[2])
    if decimals > 1:
        scale = 10 ** (decimals - 1)
        near = (mlp_width * scale // width, mlp_width * scale // width + 1)
        assert all(width_of(width, numerator / scale) != mlp_width for numerator in near)
