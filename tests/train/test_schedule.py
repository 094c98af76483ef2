from __future__ import annotations

import math

import pytest

from train.schedule import learning_rate


def curve(*, base: float = 5e-4, warmup: int = 4, steps: int = 12) -> list[float]:
    return [learning_rate(step, base=base, warmup=warmup, steps=steps) for step in range(steps)]


def test_the_warm_up_is_linear_and_ends_at_the_given_rate() -> None:
    assert curve()[:4] == pytest.approx([1.25e-4, 2.5e-4, 3.75e-4, 5e-4], rel=1e-12)


def test_the_given_rate_is_never_passed() -> None:
    assert max(curve(warmup=2000, steps=5000)) == 5e-4


def test_then_it_is_half_a_cosine_towards_0() -> None:
    rates = curve()[4:]
    assert rates[0] == 5e-4
    assert rates[4] == pytest.approx(2.5e-4, rel=1e-12)  # halfway
    assert rates[7] == pytest.approx(2.5e-4 * (1 + math.cos(math.pi * 7 / 8)), rel=1e-12)
    assert rates == sorted(rates, reverse=True)


def test_without_warm_up_it_begins_at_the_rate() -> None:
    assert curve(warmup=0)[0] == 5e-4
