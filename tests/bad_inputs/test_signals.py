"""Signals at every step of writing: the exit code tells, and nothing unfinished stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.case import Row
from tests.proofs.processes import children, lives
from tests.proofs.scenarios import scenario

SIGNALS = {signal.SIGINT: rows.INTERRUPT, signal.SIGTERM: rows.TERMINATE}


def check(tmp_path: Path, sent: signal.Signals, row: Row, *, every: int) -> None:
    stopped = scenario(tmp_path, "convert over another", vocabulary=64)
    for step in range(1, stopped.steps() + 1, every):
        stopped.prepare()
        code, said = stopped.at_step(step, sent)
        row.check(code, said)
        assert stopped.check_after_death() in ("old", "new"), step


@pytest.mark.parametrize(("sent", "row"), SIGNALS.items())
def test_a_signal_at_some_steps(tmp_path: Path, sent: signal.Signals, row: Row) -> None:
    check(tmp_path, sent, row, every=4)


@pytest.mark.long
@pytest.mark.parametrize(("sent", "row"), SIGNALS.items())
def test_a_signal_at_every_step(tmp_path: Path, sent: signal.Signals, row: Row) -> None:
    check(tmp_path, sent, row, every=1)


@pytest.mark.paddle
@pytest.mark.parametrize(("sent", "row"), SIGNALS.items())
def test_verifying_ends_with_its_processes(tmp_path: Path, sent: signal.Signals, row: Row) -> None:
    """As it runs the first of its frameworks."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "zoo", "verify", "tiny-digits", "--upto", "parity"],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"ZOO_HOME": str(tmp_path / "home"), "TMPDIR": str(scratch)},
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until = time.monotonic() + 60
        while not (started := children(process.pid)):
            assert time.monotonic() < until and process.poll() is None
            time.sleep(0.01)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    row.check(process.returncode, said)
    assert not any(lives(child) for child in started)
    assert not list(scratch.iterdir())
    assert not list(tmp_path.rglob("home/**/evidence.json"))
    assert not list(tmp_path.rglob("home/**/.*"))
