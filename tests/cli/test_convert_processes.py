"""`zoo convert` in processes that are stopped, killed, limited, or two at once."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.folders import CHECKPOINT, contents, names
from zoo.convert import provenance

Run = Callable[..., Any]

# A process of its own, whose writes are announced on stderr, take a while, and wait as long as
# there is a file "hold" beside the working folder.
SLOW = """
import os, sys, time
pwrite = os.pwrite
def slow(*args):
    os.write(2, b"writing\\n")
    time.sleep(0.05)
    while os.path.exists("../hold"):
        time.sleep(0.01)
    return pwrite(*args)
os.pwrite = slow
from zoo.cli import main
sys.exit(main(sys.argv[1:]))
"""
Process = subprocess.Popen[str]
Start = Callable[..., Process]
Two = Callable[..., list[Process]]


@pytest.fixture
def start(here: Path) -> Iterator[Start]:
    """Starts ``zoo`` in a process, slowly."""
    started: list[Process] = []

    def start(*argv: str, limit: int | None = None) -> Process:
        def limited() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limited,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(process: Process, word: str) -> None:
    assert process.stderr
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"it ended without {word!r}")


def end(process: Process) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr.replace("writing\n", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing(
    run_zoo: Run, here: Path, start: Start, number: signal.Signals, code: int
) -> None:
    assert run_zoo("convert", "tiny-digits", "--out", "old").code == 0
    old = contents(here / "old")
    for out in ("new", "old"):
        process = start("convert", "./in", "--out", out, "--force")
        wait_for(process, "writing")
        assert f".{out}.partial" in names(here)
        process.send_signal(number)
        assert end(process) == (code, "", "\ninterrupted; nothing unfinished was left behind\n")
    assert names(here) == ["in", "old"]
    assert contents(here / "old") == old


def test_after_a_kill_the_next_run_clears_up(run_zoo: Run, here: Path, start: Start) -> None:
    process = start("convert", "./in", "--out", "out")
    wait_for(process, "writing")
    process.kill()
    end(process)
    assert names(here) == [".out.lock", ".out.partial", "in"]
    assert run_zoo("convert", "./in", "--out", "out").code == 0
    assert names(here) == ["in", "out"]
    assert names(here / "out") == CHECKPOINT


@pytest.fixture
def two(here: Path, start: Start) -> Two:
    """Starts two conversions to one place: one is held while it writes, the other waits for it."""

    def two(*more: str, dtypes: tuple[str, str] = ("keep", "keep")) -> list[Process]:
        (here.parent / "hold").touch()
        command = ("convert", "./in", "--out", "out", *more, "--dtype")
        first = start(*command, dtypes[0])
        wait_for(first, "writing")
        second = start(*command, dtypes[1])
        wait_for(second, "another process is using out; waiting")
        return [first, second]

    return two


def let_go(here: Path) -> None:
    (here.parent / "hold").unlink()


def test_of_two_at_once_one_waits(here: Path, two: Two) -> None:
    first, second = two("--force", dtypes=("float16", "bfloat16"))
    let_go(here)
    assert end(first)[:2] == end(second)[:2] == (0, "out\n")
    record = provenance.read(here / "out")
    assert {about.dtype for about in record.tensors.values()} == {"bfloat16"}
    assert names(here) == ["in", "out"]


def test_the_one_that_waited_does_not_replace_what_the_other_made(here: Path, two: Two) -> None:
    first, second = two()
    let_go(here)
    assert end(first)[0] == 0
    code, stdout, stderr = end(second)
    assert (code, stdout) == (4, "")
    assert "zoo: PATH: the output exists" in stderr
    assert names(here) == ["in", "out"]


def test_the_one_that_waits_can_be_stopped(here: Path, two: Two) -> None:
    first, second = two()
    second.send_signal(signal.SIGTERM)
    assert end(second)[0] == 143
    assert names(here) == [".out.lock", ".out.partial", "in"]
    let_go(here)
    assert end(first)[:2] == (0, "out\n")
    assert names(here) == ["in", "out"]


def test_a_limit_of_the_file_size_is_a_full_disk(run_zoo: Run, here: Path, start: Start) -> None:
    assert run_zoo("convert", "tiny-digits", "--out", "old").code == 0
    old = contents(here / "old")
    for out in ("new", "old"):
        code, stdout, stderr = end(start("convert", "./in", "--out", out, "--force", limit=100_000))
        assert (code, stdout) == (7, "")
        assert "zoo: DISK: the disk is full" in stderr
    assert names(here) == ["in", "old"]
    assert contents(here / "old") == old
