"""The script under Paddle's launcher: the same run on other ranks, and ranks that fail."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.train.data.files import line
from zoo.runtime import import_paddle

pytestmark = [pytest.mark.paddle, pytest.mark.distributed]
paddle = import_paddle()

Run = Callable[..., subprocess.CompletedProcess[str]]
Log = Callable[[Path], list[dict[str, Any]]]


SHARDED = ("--sharding", "stage2", "--sharding_parallel_degree", 2)
TENSOR = ("--tensor_parallel_degree", 2)


@pytest.mark.parametrize(
    ("degrees", "batch", "told"),
    [
        pytest.param(
            SHARDED, 4, "2 ranks share out the optimizer's state and gradients", id="stage 2"
        ),
        pytest.param(TENSOR, 8, "4 steps of 8 pairs", id="tensor"),
    ],
)
def test_two_ranks_train_as_one_and_one_goes_on_where_they_ended(
    run_script: Run,
    words: list[str],
    read_log: Log,
    pictures: Path,
    tmp_path: Path,
    degrees: tuple[object, ...],
    batch: int,
    told: str,
) -> None:
    one, two, after, again = (tmp_path / name for name in ("one", "two", "after", "again"))
    kept = (
        *("--save_steps", 2, "--ema_decay", 0.9),
        *("--classification_eval", pictures / "eval"),
    )
    assert run_script(*words, *kept, "--output_dir", one).returncode == 0
    of_two = (
        *(*words, *kept, *degrees, "--per_device_train_batch_size", batch),
        *("--local_loss", "true", "--gather_with_grad", "true"),
    )
    done = run_script(*of_two, "--output_dir", two, ranks=2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert told in done.stdout + done.stderr
    whole = [entry["loss"] for entry in read_log(one)]
    assert [entry["loss"] for entry in read_log(two)] == pytest.approx(whole, rel=1e-5)
    assert _scores(two) == _scores(one)
    # Every tensor that is kept is whole, in its place, and what one process keeps.
    for part in ("model/model.safetensors", "ema/model.safetensors", "optimizer.safetensors"):
        expected = load_file(one / "checkpoint-4" / part)
        found = load_file(two / "checkpoint-4" / part)
        assert found.keys() == expected.keys()
        for name, array in expected.items():
            if "k_proj.bias" not in name:  # nothing but rounding
                scale = float(np.abs(array).max())
                np.testing.assert_allclose(found[name], array, rtol=0, atol=1e-4 * scale)
    for output, ranks, argv, folder in ((after, 1, words, two), (again, 2, of_two, one)):
        resumed = run_script(
            *(*argv, "--ema_decay", 0.9, "--output_dir", output),
            *("--resume_from_checkpoint", folder / "checkpoint-2", "--device=cpu"),
            ranks=ranks,
        )
        assert resumed.returncode == 0, resumed.stdout + resumed.stderr
        assert [entry["loss"] for entry in read_log(output)] == pytest.approx(whole[2:], rel=1e-5)


def test_every_rank_tells_of_the_one_that_failed(
    run_script: Run, words: list[str], tmp_path: Path
) -> None:
    done = run_script(*words, "--image_root", tmp_path / "nowhere", ranks=2)
    assert done.returncode != 0
    for rank in (0, 1):
        log = (tmp_path / "ranks" / f"workerlog.{rank}").read_text()
        # The launcher shows the end of a failed rank's log, and rank 0's from its beginning.
        assert log.count("100 pictures in a row can't be read") == 1
        assert "Traceback" not in log


def test_a_rank_that_is_told_to_stop_ends_the_job_with_143(
    words: list[str], tmp_path: Path
) -> None:
    job = (*words, "--max_steps", 100_000, "--save_steps", 3, "--per_device_train_batch_size", 4)
    code = _signalled(job, tmp_path / "run", tmp_path / "ranks", signal.SIGTERM)
    first, second = ((tmp_path / "ranks" / f"workerlog.{rank}").read_text() for rank in (0, 1))
    assert "rank 1 was told to stop (SIGTERM)" in second
    if "SIGABRT" not in first:  # by gloo, from C++
        assert "rank 0 stopped with the job, because of rank 1, which was told" in first
        assert code == 143


@pytest.mark.parametrize("data", ["pairs", pytest.param("a stream", marks=pytest.mark.long)])
def test_a_rank_that_is_killed_ends_the_job_with_a_word_and_it_goes_on_to_the_bit(
    run_script: Run, words: list[str], read_log: Log, tmp_path: Path, data: str
) -> None:
    output, unbroken, logs = tmp_path / "run", tmp_path / "unbroken", tmp_path / "ranks"
    job = (
        *(*words, "--max_steps", 30, "--save_steps", 3, "--save_total_limit", 2),
        *("--per_device_train_batch_size", 4, "--dataloader_num_workers", 1),
    )
    if data == "a stream":
        (tmp_path / "laion.filelist").write_text("".join(_parts(tmp_path, 7, 9)))
        job = (*job, "--task_name", tmp_path / "laion.filelist", "--dataloader_num_workers", 2)
    assert _signalled(job, output, logs, signal.SIGKILL) != 0
    log = (logs / "workerlog.0").read_text()
    # Where gloo finds the connection broken before the launcher ends the job, it aborts the
    # process from C++, and the word is Paddle's own.
    assert "another process of the job is gone" in log or "SIGABRT" in log
    assert len(read_log(output)) < 30
    for more in (("--resume_from_checkpoint", "True"), ("--output_dir", unbroken)):
        done = run_script(*job, *more, ranks=2)
        assert done.returncode == 0, done.stdout + done.stderr
    assert read_log(output) == read_log(unbroken)
    left = [
        process
        for process in Path("/proc").glob("[0-9]*/cmdline")
        if _names(process, output) or _names(process, unbroken)
    ]
    assert not left  # of those that read its samples
    first, second = (
        load_file(folder / "checkpoint-30" / "model" / "model.safetensors")
        for folder in (output, unbroken)
    )
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)


@pytest.mark.parametrize("device", ["gpu", "toaster"])
def test_a_device_that_is_not_there_is_refused(
    run_script: Run, words: list[str], device: str
) -> None:
    if device == "gpu" and paddle.is_compiled_with_cuda():
        pytest.skip("this Paddle knows GPUs")
    done = run_script(*words, "--device", device)
    assert (done.returncode, f"Paddle has no device '{device}'" in done.stderr) == (2, True)


def _scores(output: Path) -> list[tuple[float, float]]:
    """Zero-shot accuracies, in the order of the log."""
    entries = map(json.loads, (output / "log.jsonl").read_text().splitlines())
    return [(e["top1"], e["top5"]) for e in entries if e.get("event") == "zero-shot"]


def _parts(folder: Path, files: int, lines: int) -> Iterator[str]:
    for part in range(files):
        path = folder / f"part-{part}"
        path.write_bytes(b"".join(line(f"{part} {number}") for number in range(lines)))
        yield f"{path}\n"


def _wait_for(happens: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.2)


def _names(cmdline: Path, path: Path) -> bool:
    try:
        return str(path).encode() in cmdline.read_bytes()
    except OSError:  # it is gone
        return False


def _signalled(job: tuple[object, ...], output: Path, logs: Path, sent: signal.Signals) -> int:
    """The launcher's exit code once a signal has come to rank 1 of two, behind a checkpoint."""
    launcher = (sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", "2")
    process = subprocess.Popen(
        [*launcher, "--log_dir", logs, "train/run_pretrain_dist.py", *map(str, job)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(lambda: (output / "checkpoint-3" / "state.json").is_file())
        time.sleep(random.uniform(0, 1))
        os.kill(_child(process.pid, rank=1), sent)
        return process.wait(60)
    finally:
        process.terminate()
        process.wait(60)


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
