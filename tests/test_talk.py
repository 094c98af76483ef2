"""What work tells, in words that people read."""

from __future__ import annotations

import pytest

from zoo.talk import shown_size


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (10_158_268_420, "10.16 GB"),
        (2_000_000_000_000, "2,000.00 GB"),
    ],
)
def test_sizes_have_the_unit_that_fits(nbytes: int, text: str) -> None:
    assert shown_size(nbytes) == text
