"""Processes killed while they write: nothing is lost, nothing is mixed, and a rerun mends all.

    python -m pytest tests/proofs/test_kills.py -m long -s

prints the figures of docs/safety.md.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.proofs.scenarios import NAMES, Scenario, run, scenario, start

KILLS = 50  # per command, at random moments
SMALL, LARGE = 64, 1_000_000  # words in the vocabulary; the second makes files of 129 MB


def steps(killed: Scenario) -> int:
    """How many steps the command takes on the paths that matter."""
    killed.prepare()
    process = start(killed.root, *victim(killed, 0))
    _, said = process.communicate()
    assert process.returncode == 0, said
    killed.check_after_rerun()
    return int(said.splitlines()[-1])


def victim(killed: Scenario, step: int) -> tuple[object, ...]:
    return ("-m", "tests.proofs.victim", killed.target.parent, step, *killed.words)


def kill_at_step(killed: Scenario, step: int) -> str:
    killed.prepare()
    process = start(killed.root, *victim(killed, step))
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    return rerun(killed)


def kill_after(killed: Scenario, seconds: float) -> str:
    killed.prepare()
    process = start(killed.root, "-m", "zoo", *killed.words)
    time.sleep(seconds)
    process.kill()
    process.communicate()
    return rerun(killed)


def rerun(killed: Scenario) -> str:
    found = killed.check_after_death()
    run(killed.root, *killed.words)
    killed.check_after_rerun()
    return found


def told(name: str, how: str, found: Counter[str]) -> None:
    print(f"\n{name}, {how}: {found.total()} kills, then found: {dict(sorted(found.items()))}")


@pytest.mark.parametrize("name", ["convert over another", "export"])
def test_a_kill_at_some_steps(tmp_path: Path, name: str) -> None:
    killed = scenario(tmp_path, name, vocabulary=SMALL)
    last = steps(killed)
    found = [kill_at_step(killed, last * number // 5) for number in (1, 2, 3, 4, 5)]
    assert "old, and a leftover" in found and found[-1] == "new"


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_every_step(tmp_path: Path, name: str) -> None:
    killed = scenario(tmp_path, name, vocabulary=SMALL)
    found = Counter(kill_at_step(killed, step) for step in range(1, steps(killed) + 1))
    told(name, "at every step", found)
    assert {"old, and a leftover", "new"} <= found.keys()


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_kills_at_random_moments(tmp_path: Path, name: str) -> None:
    killed = scenario(tmp_path, name, vocabulary=LARGE)
    killed.prepare()
    started = time.monotonic()
    run(killed.root, *killed.words)
    whole = time.monotonic() - started
    moments = random.Random(name)
    found = Counter(
        kill_after(killed, (number + moments.random()) / KILLS * whole) for number in range(KILLS)
    )
    told(name, f"at random moments of {whole:.1f} s", found)
    assert "old, and a leftover" in found
