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
from zoo.imagesets.bundled import held_out_digits

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0  # seconds

pytestmark = pytest.mark.paddle


def wait_for(folder: Path, name: str, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while not any(folder.rglob(name)):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.05)


@pytest.fixture
def many_digits(tmp_path: Path) -> Path:
    """Those of the bundled ones over and over, so that evaluating them takes a while."""
    images = held_out_digits()
    folder = tmp_path / "digits"
    for label, _ in enumerate(images.classes):
        (folder / "images" / f"{label}").mkdir(parents=True)
    for picture in images.pictures:
        place = folder / "images" / f"{picture.label}"
        first = place / f"{picture.name}-0.pgm"
        first.write_bytes(picture.stored.read())
        for number in range(1, 100):
            (place / f"{picture.name}-{number}.pgm").hardlink_to(first)
    (folder / "labels.txt").write_text("\n".join(images.classes))
    (folder / "templates.txt").write_text("\n".join(images.templates))
    return folder


SIGNALS = pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


def signalled(argv: list[str], folder: Path, begun: str, sent: signal.Signals) -> tuple[int, str]:
    """The exit code and what a script says that is sent a signal once a file is there."""
    process = subprocess.Popen(
        [sys.executable, *argv],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for(folder, begun, process)
        workers = children(process.pid)
        assert len(workers) >= 2
        process.send_signal(sent)
        _, said = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    until = time.monotonic() + 10  # a worker goes once it sees that its parent is gone
    while any(lives(worker) for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.05)
    return process.returncode, said


@SIGNALS
def test_a_signal_ends_a_training(
    words: list[str], tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    more = ("--max_steps", "100000", "--save_steps", "2", "--dataloader_num_workers", "2")
    output = tmp_path / "run"
    argv = ["train/run_pretrain_dist.py", *words, *more]
    ended, said = signalled(argv, output, "checkpoint-4", sent)
    assert ended == code, said
    assert "interrupted; nothing unfinished was left behind" in said
    assert "Traceback" not in said
    assert not [path.name for path in output.iterdir() if path.name.startswith(".")]


@SIGNALS
@pytest.mark.usefixtures("shared_programs")
def test_a_signal_ends_an_evaluation(
    many_digits: Path, tmp_path: Path, sent: signal.Signals, code: int
) -> None:
    argv = [
        *("train/run_zero_shot_eval.py", "--model", "tiny-digits"),
        *("--classification_eval", str(many_digits), "--output_dir", str(tmp_path / "out")),
        *("--per_device_eval_batch_size", "4", "--dataloader_num_workers", "2"),
    ]
    journals = Path(os.environ["ZOO_HOME"]) / "zero-shot"
    ended, said = signalled(argv, journals, "rank-0.jsonl", sent)
    assert ended == code, said
    assert "interrupted; nothing unfinished was left behind" in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()
    assert not list(journals.rglob(".*"))
