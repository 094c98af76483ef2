"""Taking turns, because a machine's speed drifts and ratios do not."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Turn = Callable[[], float]  # does it once and tells what it cost: seconds for a unit, or megabytes
LAST_WORDS = 300  # characters of a failure that are kept


class TurnError(Exception):
    """A contestant could not do its work; the text says why."""


@dataclass
class Record:
    """One contestant's costs, round by round, or why it has none."""

    values: list[float] = field(default_factory=list)
    failed: str | None = None


def command(
    *words: str | Path,
    prepare: Callable[[], object] = lambda: None,
    environment: Mapping[str, str] | None = None,
) -> Turn:
    """A turn that runs a command in a process of its own and takes its wall time.

    ``prepare`` is not timed. What was written before is on disk before the clock starts, so that
    nobody pays for what another left to the system.
    """

    def run() -> float:
        prepare()
        os.sync()
        started = time.perf_counter()
        done = subprocess.run(
            [str(word) for word in words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **(environment or {})},
        )
        seconds = time.perf_counter() - started
        if done.returncode:
            raise TurnError(last_words(done.stderr) or f"it ended with code {done.returncode}")
        return seconds

    return run


def last_words(text: str) -> str:
    """The end of what a process said."""
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    return " ".join(lines[-2:])[-LAST_WORDS:]


def in_turns(
    turns: Mapping[str, Turn],
    rounds: int,
    *,
    warm_up: bool = True,
    left: Callable[[], float] = lambda: float("inf"),
    say: Callable[[str], object] = lambda text: None,
) -> dict[str, Record]:
    """Lets everyone do its work once per round, every other round in the reverse order.

    Whoever fails is out of the later rounds and has
    no values. No round is begun that the time left would not hold, by what the longest took.

    Args:
        turns: by name.
        rounds: that count; 1 is done in any case.
        warm_up: a round that counts for nothing comes first.
        left: seconds that are left for all.
        say: hears of every turn.
    """
    records = {name: Record() for name in turns}
    longest = 0.0
    for number in range(0 if warm_up else 1, rounds + 1):
        if number > 1 and left() < longest:
            say(f"out of time after {number - 1} of {rounds} rounds")
            break
        started = time.monotonic()
        for name in turns if number % 2 else reversed(list(turns)):
            if records[name].failed:
                continue
            try:
                cost = turns[name]()
            except (TurnError, OSError) as error:
                records[name] = Record(failed=str(error) or type(error).__name__)
                say(f"{name} failed: {records[name].failed}")
                continue
            say(f"{'warm-up' if number == 0 else f'round {number}'}: {name} {cost:.4g}")
            if number:
                records[name].values.append(cost)
        longest = max(longest, time.monotonic() - started)
    return records
