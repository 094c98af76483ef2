"""A command from its start to its end, Python's own start included."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.results import Case, Target
from benchmarks.turns import command

TITLE = "Start-up"
MODELS = ()  # it takes none
COMMANDS = {"zoo --help": ("--help",), "zoo list": ("list",)}
AT_MOST = 0.3  # seconds


def cases(bench: Bench, model: str) -> Iterator[Case]:
    yield bench.race(
        "commands",
        "ms",
        {name: command(sys.executable, "-m", "zoo", *words) for name, words in COMMANDS.items()}
        | {"python -c pass": command(sys.executable, "-c", "pass")},
        ours=COMMANDS,
        baseline="python -c pass",
        targets=[Target(ours=name, at_most=AT_MOST) for name in COMMANDS],
        rounds=15,
    )
