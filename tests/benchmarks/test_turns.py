"""Taking turns: who comes when, what a failure costs, when time is up."""

from __future__ import annotations

import sys
import time

import pytest

from benchmarks import turns
from benchmarks.turns import TurnError, command, in_turns


def test_everyone_once_per_round_and_the_first_round_does_not_count() -> None:
    order: list[str] = []

    def turn(name: str):  # type: ignore[no-untyped-def]
        return lambda: order.append(name) or float(len(order))  # type: ignore[func-returns-value]

    records = in_turns({"a": turn("a"), "b": turn("b")}, 3)
    assert "".join(order) == "baabbaab"
    assert records["a"].values == [3.0, 6.0, 7.0] and records["b"].values == [4.0, 5.0, 8.0]


def test_without_a_warm_up_the_first_round_counts() -> None:
    assert in_turns({"a": lambda: 1.0}, 2, warm_up=False)["a"].values == [1.0, 1.0]


def test_a_failure_costs_its_own_row() -> None:
    calls: list[str] = []

    def breaks() -> float:
        calls.append("breaks")
        if len(calls) == 2:
            raise TurnError("out of memory")
        return 1.0

    records = in_turns({"breaks": breaks, "works": lambda: 1.0}, 3)
    assert len(calls) == 2  # it is not asked again
    assert records["breaks"].values == [] and records["breaks"].failed == "out of memory"
    assert records["works"].values == [1.0, 1.0, 1.0]


def test_no_round_is_begun_that_time_does_not_hold() -> None:
    end = time.monotonic() + 0.35
    told: list[str] = []
    records = in_turns(
        {"a": lambda: time.sleep(0.1) or 1.0},  # type: ignore[func-returns-value]
        50,
        left=lambda: end - time.monotonic(),
        say=told.append,
    )
    assert 1 <= len(records["a"].values) <= 3
    assert "out of time" in told[-1]


def test_one_round_is_done_though_time_is_up() -> None:
    assert in_turns({"a": lambda: 1.0}, 5, left=lambda: -1.0)["a"].values == [1.0]


def test_a_command_is_timed_and_its_preparation_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, ahead = time.perf_counter, [0.0]
    monkeypatch.setattr(turns.time, "perf_counter", lambda: clock() + ahead[0])

    def prepare() -> None:
        ahead[0] += 1e6

    seconds = command(sys.executable, "-c", "import time; time.sleep(0.2)", prepare=prepare)()
    assert 0.2 <= seconds < 1e6 and ahead == [1e6]


def test_a_command_that_fails_says_its_last_words() -> None:
    code = "import sys; print('first', file=sys.stderr); sys.exit('no such model')"
    with pytest.raises(TurnError, match="no such model"):
        command(sys.executable, "-c", code)()
    with pytest.raises(TurnError, match="code 3"):
        command(sys.executable, "-c", "raise SystemExit(3)")()
