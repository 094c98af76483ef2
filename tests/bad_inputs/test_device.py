"""No Paddle, or none for the device: one message, with what to do, for a model and for training."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_inputs import rows
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
ROOT = Path(__file__).parents[2]
LOAD = """
import sys, zoo
from train.job import reported
with reported() as outcome:
    zoo.load("tiny-digits", device="gpu:0")
sys.exit(outcome.code)
"""
TRAIN = ("--model", "tiny-digits", "--task_name", "x.json", "--device", "gpu:0", "--output_dir")


def test_without_paddle(tmp_path: Path) -> None:
    ran = run(tmp_path, "-c", "import sys; sys.modules['paddle'] = None" + LOAD)
    rows.NO_PADDLE.check(ran.returncode, ran.stderr)


@pytest.mark.skipif(
    import_paddle().is_compiled_with_cuda(), reason="this Paddle has been built for GPUs"
)
@pytest.mark.parametrize("command", [("-c", LOAD), ("-m", "train.run_pretrain_dist", *TRAIN)])
def test_a_gpu_that_is_not_there(command: tuple[str, ...], tmp_path: Path) -> None:
    words = (*command, str(tmp_path / "out")) if command[0] == "-m" else command
    ran = run(tmp_path, *words)
    rows.NO_DEVICE.check(ran.returncode, ran.stderr)
    assert not (tmp_path / "out").exists()


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=os.environ | {"ZOO_HOME": str(tmp_path / "home"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
