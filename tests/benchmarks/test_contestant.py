"""A contestant's process: it answers, waits without working, and dies with whoever asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from benchmarks.checkpoints import save_json
from benchmarks.contestant import Process
from benchmarks.turns import TurnError
from zoo.inputs.tokenizer import Tokenizer

TEXTS = ["a photo of a cat", "a sketch of a dog"]


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    with Process("zoo_tokenizer", tmp_path / "log") as process:
        yield process


@pytest.fixture
def given(tmp_path: Path) -> Path:
    return save_json(tmp_path / "texts.json", TEXTS)


def test_it_does_its_work_and_saves_what_it_computed(
    process: Process, given: Path, tmp_path: Path
) -> None:
    out = tmp_path / "ids.npy"
    seconds = process.do("tokenize", given, save=out, shortest=0.0)
    assert 0 < seconds < 10
    assert np.array_equal(np.load(out), Tokenizer()(TEXTS))


def test_a_turns_cost_is_for_one_unit(process: Process, given: Path) -> None:
    one = process.turn("tokenize", given)()
    assert process.turn("tokenize", given, units=1000)() < one


def test_it_is_stopped_while_it_waits(process: Process, given: Path) -> None:
    for _ in range(2):  # and goes on when it is asked again
        process.do("tokenize", given, shortest=0.0)
        child = process._child
        assert child is not None
        state = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0]
        assert state == "T"


def test_what_fails_is_told_and_a_new_start_may_do_better(
    process: Process, given: Path, tmp_path: Path
) -> None:
    bad = save_json(tmp_path / "bad.json", [1, 2])
    with pytest.raises(TurnError, match="must be a str"):
        process.do("tokenize", bad)
    assert process.do("tokenize", given, shortest=0.0) > 0


def test_one_that_cannot_start_is_not_started_again(tmp_path: Path) -> None:
    with Process("no_such_contestant", tmp_path / "log") as process:
        with pytest.raises(TurnError, match="no_such_contestant"):
            process.do("tokenize")
        (tmp_path / "log").unlink()
        with pytest.raises(TurnError, match="no_such_contestant"):
            process.do("tokenize")
        assert not (tmp_path / "log").exists()


def test_one_that_is_killed_says_so(process: Process, given: Path) -> None:
    process.do("tokenize", given, shortest=0.0)
    assert process._child is not None
    process._child.kill()
    with pytest.raises(TurnError, match=r"ended with code -9|Broken pipe"):
        process.do("tokenize", given)


def test_two_at_once_outlive_the_threads_that_ask(given: Path, tmp_path: Path) -> None:
    """The system ends a child with the thread that started it: that has to be this one."""
    processes = [Process("zoo_tokenizer", tmp_path / f"log-{number}") for number in range(2)]
    with processes[0], processes[1]:
        for _ in range(2):
            for process in processes:
                process.start()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda p: p.do("tokenize", given, shortest=0.0), processes))


def test_it_dies_with_its_parent(tmp_path: Path, given: Path) -> None:
    """Though it is stopped, and its parent had no time to say good-bye."""
    code = f"""
import os, signal
from pathlib import Path
from benchmarks.contestant import Process
process = Process("zoo_tokenizer", Path({str(tmp_path / "log")!r}))
process.do("tokenize", Path({str(given)!r}), shortest=0.0)
print(process._child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid, end = int(done.stdout), time.monotonic() + 10
    while _alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _alive(pid)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False
