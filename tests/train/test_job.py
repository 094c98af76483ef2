"""The script under Paddle's launcher: the same run on other ranks, and ranks that fail."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.numpy import load_file

from zoo.runtime import import_paddle

pytestmark = [pytest.mark.paddle, pytest.mark.distributed]
import_paddle()

Run = Callable[..., subprocess.CompletedProcess[str]]
Log = Callable[[Path], list[dict[str, Any]]]


def test_two_ranks_train_as_one_and_one_goes_on_where_they_ended(
    run_script: Run, words: list[str], read_log: Log, tmp_path: Path
) -> None:
    one, two, after = (tmp_path / name for name in ("one", "two", "after"))
    assert run_script(*words, "--output_dir", one, "--save_steps", 2).returncode == 0
    shared = ("--output_dir", two, "--save_steps", 2, "--per_device_train_batch_size", 4)
    sharding = ("--sharding", "stage2", "--sharding_parallel_degree", 2)
    loss = ("--local_loss", "true", "--gather_with_grad", "true")
    done = run_script(*words, *shared, *sharding, *loss, ranks=2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "sharding stage2 runs as stage1" in done.stdout + done.stderr
    whole = [entry["loss"] for entry in read_log(one)]
    assert [entry["loss"] for entry in read_log(two)] == pytest.approx(whole, rel=1e-5)
    resumed = run_script(
        *words,
        "--output_dir",
        after,
        "--resume_from_checkpoint",
        two / "checkpoint-2",
        "--device=cpu",
    )
    assert resumed.returncode == 0, resumed.stderr
    assert [entry["loss"] for entry in read_log(after)] == pytest.approx(whole[2:], rel=1e-5)


def test_every_rank_tells_of_the_one_that_failed(
    run_script: Run, words: list[str], tmp_path: Path
) -> None:
    done = run_script(*words, "--image_root", tmp_path / "nowhere", ranks=2)
    assert done.returncode != 0
    for rank in (0, 1):
        log = (tmp_path / "ranks" / f"workerlog.{rank}").read_text()
        assert "100 pictures in a row can't be read" in log
        assert "Traceback" not in log


def test_a_rank_that_is_killed_ends_the_job_with_a_word(words: list[str], tmp_path: Path) -> None:
    output, logs = tmp_path / "run", tmp_path / "ranks"
    launcher = (sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2")
    job = subprocess.Popen(
        [
            *launcher,
            *("--log_dir", logs, "train/run_pretrain_dist.py", *words, "--max_steps", "100000"),
            *("--per_device_train_batch_size", "4", "--save_steps", "3"),
        ],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(lambda: (output / "checkpoint-3" / "state.json").is_file())
        os.kill(_child(job.pid, rank=1), signal.SIGKILL)
        assert job.wait(60) != 0
    finally:
        job.terminate()
        job.wait(60)
    log = (logs / "workerlog.0").read_text()
    # Where gloo finds the connection broken before the launcher ends the job, it aborts the
    # process from C++, and the word is Paddle's own.
    word = "zoo: CHECK: rank 0 stopped because another process of the job is gone"
    assert word in log or "SIGABRT" in log
    newest = max(output.glob("checkpoint-*"), key=lambda path: path.stat().st_mtime)
    assert load_file(newest / "model" / "model.safetensors")


def _wait_for(happens: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.2)


def _child(parent: int, *, rank: int) -> int:
    """The launcher's process of a rank."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    wanted = f"PADDLE_TRAINER_ID={rank}".encode()
    (found,) = (
        int(child)
        for child in children
        if wanted in Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
    )
    return found
