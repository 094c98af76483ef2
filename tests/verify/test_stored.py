"""Arrays in the cache: made once, and made again where what lies there is not what was made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.verify.stored import stored

ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.fixture
def made() -> list[int]:
    return []


@pytest.fixture
def get(made: list[int]) -> Callable[[], NDArray[np.float32]]:
    def make() -> NDArray[np.float32]:
        made.append(1)
        return ARRAY

    return lambda: stored("classifiers", {"of": "all that matters"}, make, lambda _: None)


def test_it_is_made_once(get: Callable[[], NDArray[np.float32]], made: list[int]) -> None:
    for _ in range(3):
        assert np.array_equal(get(), ARRAY)
    assert len(made) == 1


@pytest.mark.parametrize("at", [0, 60, 130, -40, -1])
def test_one_flipped_bit_is_found_and_the_array_made_again(
    get: Callable[[], NDArray[np.float32]], made: list[int], zoo_home: Path, at: int
) -> None:
    get()
    (path,) = (zoo_home / "classifiers").glob("*.npy")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    assert np.array_equal(get(), ARRAY)
    assert len(made) == 2


@pytest.mark.parametrize("left", [0, 31, 32, 100, 170])
def test_what_was_cut_short_is_made_again(
    get: Callable[[], NDArray[np.float32]], made: list[int], zoo_home: Path, left: int
) -> None:
    get()
    (path,) = (zoo_home / "classifiers").glob("*.npy")
    path.write_bytes(path.read_bytes()[:left])
    assert np.array_equal(get(), ARRAY)
    assert len(made) == 2
