"""A training that is asked to stop: the exit code tells; no process, nothing unfinished stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.proofs.processes import children, lives

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds

pytestmark = pytest.mark.paddle


def wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while not path.exists():
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_training(
    words: list[str], tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    more = ("--max_steps", "100000", "--save_steps", "2", "--dataloader_num_workers", "2")
    process = subprocess.Popen(
        [sys.executable, "train/run_pretrain_dist.py", *words, *more],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    output = tmp_path / "run"
    try:
        wait_for(output / "checkpoint-4", process)
        workers = children(process.pid)
        assert len(workers) >= 2
        process.send_signal(sent)
        _, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode == code, said
    assert "interrupted; nothing unfinished was left behind" in said
    assert "Traceback" not in said
    assert not any(lives(worker) for worker in workers)
    assert not [path.name for path in output.iterdir() if path.name.startswith(".")]
