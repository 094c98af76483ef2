"""Signals at every step of writing: the exit code tells, and nothing unfinished stays."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.case import Row
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
