"""Two launchers on one machine, as two nodes: the same training as one process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.runtime import import_paddle

pytestmark = [pytest.mark.paddle, pytest.mark.distributed]
import_paddle()

ROOT = Path(__file__).parents[2]
Log = Callable[[Path], list[dict[str, Any]]]


@pytest.fixture
def run_nodes(tmp_path: Path, free_port: Callable[[], int]) -> Callable[..., None]:
    """Runs the script under a launcher on each of two nodes."""

    def run(*argv: object) -> None:
        master = f"127.0.0.1:{free_port()}"
        nodes = [
            subprocess.Popen(
                [
                    *(sys.executable, "-m", "paddle.distributed.launch", "--nnodes", "2"),
                    *("--master", master, "--rank", str(node), "--nproc_per_node", "1"),
                    *("--log_dir", tmp_path / f"node{node}", "--log_overwrite", "True"),
                    *("--start_port", str(free_port())),
                    *("train/run_pretrain_dist.py", *map(str, argv)),
                ],
                cwd=ROOT,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for node in range(2)
        ]
        try:
            told = [node.communicate(timeout=180)[0] for node in nodes]
        finally:
            for node in nodes:
                node.kill()
        assert [node.returncode for node in nodes] == [0, 0], "\n".join(told)

    return run


def test_two_nodes_train_as_one_process_and_go_on(
    run_nodes: Callable[..., None],
    run_script: Callable[..., subprocess.CompletedProcess[str]],
    words: list[str],
    read_log: Log,
    tmp_path: Path,
) -> None:
    one, two, after = (tmp_path / name for name in ("one", "two", "after"))
    assert run_script(*words, "--output_dir", one).returncode == 0
    whole = [entry["loss"] for entry in read_log(one)]
    of_two = (
        *(*words, "--per_device_train_batch_size", 4, "--save_steps", 2),
        *("--local_loss", "true", "--gather_with_grad", "true"),
    )
    run_nodes(*of_two, "--output_dir", two)
    assert [entry["loss"] for entry in read_log(two)] == pytest.approx(whole, rel=1e-5)
    run_nodes(*of_two, "--output_dir", after, "--resume_from_checkpoint", two / "checkpoint-2")
    assert read_log(after) == read_log(two)[2:]
