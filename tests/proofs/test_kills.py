"""Processes killed while they write: nothing is lost, nothing is mixed, and a rerun mends all.

    python -m pytest tests/proofs/test_kills.py -m long -s

prints the figures of docs/safety.md.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.proofs.scenarios import NAMES, Scenario, scenario
from tests.proofs.trainings import digits, overwriting, training

KILLS = 25  # per command, at random moments of its life, and of its writing
SMALL, LARGE = 64, 250_000  # words in the vocabulary; the second makes files of 33 MB


def kill_at_step(killed: Scenario, step: int) -> str:
    killed.prepare()
    code, _ = killed.at_step(step, signal.SIGKILL)
    assert code == -signal.SIGKILL
    return rerun(killed)


def kill_within(killed: Scenario, seconds: float, *, writing: bool) -> str | None:
    """Kills it after some time, from its start or from when it begins to write; None where it had
    ended by then."""
    process = started(killed, writing=writing)
    time.sleep(seconds)
    process.kill()
    process.communicate()
    return rerun(killed) if process.returncode == -signal.SIGKILL else None


def started(killed: Scenario, *, writing: bool) -> subprocess.Popen[str]:
    """The command as it starts, or as it begins to write."""
    killed.prepare()
    process = killed.start()
    while writing and not killed.begun() and process.poll() is None:
        time.sleep(0.0005)
    return process


def lasts(killed: Scenario, *, writing: bool) -> float:
    """Seconds from then to its end."""
    process = started(killed, writing=writing)
    began = time.monotonic()
    process.communicate()
    return time.monotonic() - began


def rerun(killed: Scenario) -> str:
    found = killed.check_after_death()
    killed.rerun()
    killed.check_after_rerun()
    return found


TRAINER = "tests.proofs.trainer"


def told(name: str, how: str, found: Counter[str]) -> None:
    print(f"\n{name}, {how}: {found.total()} kills, then found: {dict(sorted(found.items()))}")


@pytest.mark.parametrize("name", ["convert over another", "export"])
def test_a_kill_at_some_steps(tmp_path: Path, name: str) -> None:
    killed = scenario(tmp_path, name, vocabulary=SMALL)
    last = killed.steps()
    found = [kill_at_step(killed, last * number // 5) for number in (1, 2, 3, 4, 5)]
    assert "old, and a leftover" in found and found[-1] == "new"


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_kill_at_every_step(tmp_path: Path, name: str) -> None:
    killed = scenario(tmp_path, name, vocabulary=SMALL)
    found = Counter(kill_at_step(killed, step) for step in range(1, killed.steps() + 1))
    told(name, "at every step", found)
    assert {"old, and a leftover", "new"} <= found.keys()


def kills_at_random_moments(killed: Scenario, name: str, *, kills: int, writing: bool) -> None:
    moments = random.Random(name)
    longest = lasts(killed, writing=writing)  # shorter with every process that was not met alive
    found: Counter[str] = Counter()
    while found.total() < kills:
        met = kill_within(killed, moments.random() * longest, writing=writing)
        if met is None:
            longest *= 0.9
        else:
            found[met] += 1
    told(name, f"at random moments {'of writing' if writing else 'of its life'}", found)
    assert any("a leftover" in what for what in found)


@pytest.mark.long
@pytest.mark.parametrize("writing", [False, True], ids=["from its start", "from the first write"])
@pytest.mark.parametrize("name", NAMES)
def test_kills_at_random_moments(tmp_path: Path, name: str, writing: bool) -> None:
    killed = scenario(tmp_path, name, vocabulary=LARGE)
    kills_at_random_moments(killed, name, kills=KILLS, writing=writing)


def test_kills_while_checkpoints_are_written(tmp_path: Path) -> None:
    killed = training(tmp_path, TRAINER, keep=2)
    last = killed.steps()
    found = [kill_at_step(killed, last * number // 5) for number in (1, 2, 3, 4, 5)]
    assert "whole, and a leftover" in found and found[-1] == "all there"


def test_kills_while_checkpoints_are_overwritten(tmp_path: Path) -> None:
    """Until the first of its own is there: what comes then is what every training does."""
    killed = overwriting(tmp_path, TRAINER)
    found = Counter(kill_at_step(killed, step) for step in range(1, 20, 2))
    assert {"old, and a leftover", "old, set aside"} <= found.keys()


@pytest.mark.long
def test_a_kill_at_every_step_of_overwriting_checkpoints(tmp_path: Path) -> None:
    killed = overwriting(tmp_path, TRAINER)
    found = Counter(kill_at_step(killed, step) for step in range(1, killed.steps() + 1))
    told("checkpoints overwritten", "at every step", found)
    assert {"old, and a leftover", "old, set aside", "new"} <= found.keys()


@pytest.mark.long
def test_a_kill_at_every_step_of_writing_checkpoints(tmp_path: Path) -> None:
    killed = training(tmp_path, TRAINER, keep=2)
    found = Counter(kill_at_step(killed, step) for step in range(1, killed.steps() + 1))
    told("checkpoints of a training", "at every step", found)
    assert {"whole", "whole, and a leftover", "all there"} <= found.keys()


@pytest.mark.long
@pytest.mark.paddle
def test_kills_of_a_training_at_random_moments(tmp_path: Path) -> None:
    kills_at_random_moments(digits(tmp_path), "a training", kills=KILLS, writing=True)
