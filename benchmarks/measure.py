"""Timing commands in turns, because a machine's speed drifts and ratios do not."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

Work = Callable[[], float]  # does it once and tells how long it took, in seconds


def command(*words: str | Path, prepare: Callable[[], object] = lambda: None) -> Work:
    """A work that runs a command in a process of its own; ``prepare`` is not timed."""

    def run() -> float:
        prepare()
        started = time.perf_counter()
        subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - started

    return run


def in_turns(works: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of each work, one after the other in every round; a first round warms up."""
    times: dict[str, list[float]] = {name: [] for name in works}
    for number in range(rounds + 1):
        for name, work in works.items():
            seconds = work()
            print(f"round {number}: {name} {seconds:.2f} s", file=sys.stderr)
            if number:
                times[name].append(seconds)
    return times


def ratios(over: Sequence[float], under: Sequence[float]) -> tuple[float, float, float]:
    """The median of the rounds' own ratios, and the smallest and largest of them."""
    each = sorted(a / b for a, b in zip(over, under, strict=True))
    return statistics.median(each), each[0], each[-1]


def report(figures: Mapping[str, object]) -> None:
    """One JSON document on stdout."""
    print(json.dumps(figures, indent=2))
