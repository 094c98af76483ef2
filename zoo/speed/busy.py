"""How much of the processor is taken before one's own work begins."""

from __future__ import annotations

import time
from pathlib import Path

STAT = Path("/proc/stat")
SECONDS = 0.3
BUSY = 0.3  # cores in use by others that a measurement already feels
IDLE = (3, 4)  # proc(5): of the first line's figures, idle and waiting for a disk


def cores_in_use(seconds: float = SECONDS, path: Path = STAT) -> float:
    """Processors that are at work while this one waits; 0 where Linux does not tell."""
    first = _ticks(path)
    time.sleep(seconds)
    second = _ticks(path)
    if first is None or second is None:
        return 0.0
    spent = [b - a for a, b in zip(first[0], second[0], strict=True)]
    whole = sum(spent)
    return second[1] * (whole - sum(spent[i] for i in IDLE)) / whole if whole else 0.0


def _ticks(path: Path) -> tuple[list[int], int] | None:
    """The time that all processors spent in each way, and how many there are."""
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return None
    processors = sum(words[0].startswith("cpu") for words in lines if words) - 1
    return [int(word) for word in lines[0][1:9]], processors
