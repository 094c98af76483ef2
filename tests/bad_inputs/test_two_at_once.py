"""Several processes at one place, and sources that change under the reader."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.case import Row
from tests.bad_inputs.checkpoint import WEIGHTS, good
from tests.folders import names
from tests.proofs.scenarios import checkpoint, run, start
from zoo.convert.native import open_native
from zoo.errors import DigestError
from zoo.talk import Silence
from zoo.verify import evidence
from zoo.verify.rungs.files import check_files

PATIENCE = 60.0  # seconds; nothing here takes more than a few


def wait_for(condition: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.001)


def stopped_while_writing(root: Path, parent: Path, *words: object) -> subprocess.Popen[str]:
    """A process that was stopped when it had begun to write something into ``parent``."""
    process = start(root, "-m", "zoo", *words)
    wait_for(lambda: any(parent.glob(".*.partial/*")))
    process.send_signal(signal.SIGSTOP)
    assert any(parent.glob(".*.partial/*")), "it was done before it could be stopped"
    return process


def is_waiting(process: subprocess.Popen[str]) -> bool:
    """Whether a process waits for a lock of the kernel's."""
    waiting = [
        line.split() for line in Path("/proc/locks").read_text().splitlines() if "->" in line
    ]
    return any(str(process.pid) in line for line in waiting)


def go_on(stopped: subprocess.Popen[str], second: subprocess.Popen[str], row: Row) -> None:
    """Lets the first go on when the second waits for it; both then end as they have to."""
    wait_for(lambda: is_waiting(second))
    stopped.send_signal(signal.SIGCONT)
    _, said = second.communicate(timeout=PATIENCE)
    row.check(second.returncode, said)
    _, said = stopped.communicate(timeout=PATIENCE)
    assert stopped.returncode == 0, said


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A source of 33 MB, so that there is time to meet its writer."""
    return checkpoint(tmp_path / "source", seed=1, vocabulary=250_000)


@pytest.mark.parametrize(
    ("more", "row"),
    [((), rows.SECOND), (("--force",), rows.SECOND_FORCED)],
    ids=["plain", "forced"],
)
def test_two_converts_to_one_place(
    tmp_path: Path, source: Path, more: tuple[str, ...], row: Row
) -> None:
    words = ("convert", source, "--out", tmp_path / "at" / "out", *more)
    first = stopped_while_writing(tmp_path, tmp_path / "at", *words)
    go_on(first, start(tmp_path, "-m", "zoo", *words), row)
    assert check_files(tmp_path / "at" / "out", Silence()).status == "pass"
    assert names(tmp_path / "at") == ["out"]


def test_two_converts_into_the_cache(tmp_path: Path, source: Path) -> None:
    words = ("convert", source, "--id", "two")
    place = tmp_path / "cache" / "models" / "two"
    first = stopped_while_writing(tmp_path, place, *words)
    go_on(first, start(tmp_path, "-m", "zoo", *words), rows.SECOND_CACHED)
    (folder,) = place.iterdir()
    assert check_files(folder, Silence()).status == "pass"


@pytest.mark.paddle
def test_two_evaluations_of_one_model(tmp_path: Path) -> None:
    """They keep their predictions in one place."""
    out = run(tmp_path, "convert", "tiny-digits", "--out", tmp_path / "out")
    words = ("verify", out, "--zero-shot")
    first = start(tmp_path, "-m", "zoo", *words)
    kept = tmp_path / "cache" / "zero-shot" / "tiny-digits"
    wait_for(lambda: any(kept.glob("*/journal.json")))
    first.send_signal(signal.SIGSTOP)
    go_on(first, start(tmp_path, "-m", "zoo", *words), rows.SECOND_EVALUATION)
    (folder,) = (path for path in kept.iterdir() if path.is_dir())
    assert names(folder) == ["predictions.jsonl", "timing.json"]


def test_the_lock_of_a_killed_process(tmp_path: Path, source: Path) -> None:
    words = ("convert", source, "--out", tmp_path / "at" / "out")
    first = stopped_while_writing(tmp_path, tmp_path / "at", *words)
    first.kill()
    first.communicate()
    assert names(tmp_path / "at") == [".out.lock", ".out.partial"]
    second = start(tmp_path, "-m", "zoo", *words)
    _, said = second.communicate(timeout=PATIENCE)
    rows.DEAD_LOCK.check(second.returncode, said)
    assert names(tmp_path / "at") == ["out"]


def test_a_file_system_without_locks(
    tmp_path: Path, run_zoo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", refuse)
    (tmp_path / "at").mkdir()
    ran = run_zoo("convert", good(tmp_path / "source"), "--out", tmp_path / "at" / "out")
    rows.NO_LOCKS.check(ran.code, ran.stderr)
    assert names(tmp_path / "at") == []


def _append(weights: Path) -> None:
    with weights.open("ab") as file:
        file.write(b"more")


def _cut(weights: Path) -> None:
    os.truncate(weights, weights.stat().st_size // 2)


def _rewrite(weights: Path) -> None:
    with weights.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"more")


def _replace(weights: Path) -> None:
    other = shutil.copyfile(weights, weights.with_name("other"))
    other.rename(weights)


@pytest.mark.parametrize("change", [_append, _rewrite, _replace])
def test_a_source_that_changes(
    tmp_path: Path, source: Path, change: Callable[[Path], object]
) -> None:
    code, said = changed_while_read(tmp_path, source, change)
    rows.CHANGED.check(code, said)
    assert names(tmp_path / "at") == []


def test_a_source_that_is_cut_short(tmp_path: Path, source: Path) -> None:
    code, said = changed_while_read(tmp_path, source, _cut)
    if code == rows.CHANGED.code:  # it was cut where nothing had to be read any more
        rows.CHANGED.check(code, said)
    else:
        rows.CUT.check(128 - code, said)  # a shell's way to tell of a signal
    words = ("convert", checkpoint(tmp_path / "other", seed=1, vocabulary=64))
    run(tmp_path, *words, "--out", tmp_path / "at" / "out")
    assert names(tmp_path / "at") == ["out"]


def changed_while_read(
    tmp_path: Path, source: Path, change: Callable[[Path], object]
) -> tuple[int, str]:
    words = ("convert", source, "--out", tmp_path / "at" / "out")
    process = stopped_while_writing(tmp_path, tmp_path / "at", *words)
    change(source / WEIGHTS)
    process.send_signal(signal.SIGCONT)
    _, said = process.communicate(timeout=PATIENCE)
    return process.returncode, said


def test_a_checkpoint_that_is_replaced_while_it_is_read(tmp_path: Path, source: Path) -> None:
    """What was mapped stays the old checkpoint's; what was not is refused. Never a mixture."""
    out = run(tmp_path, "convert", source, "--out", tmp_path / "out")
    other = checkpoint(tmp_path / "other", seed=2, vocabulary=250_000)
    with open_native(out) as before:
        whole = {name: before.tensor(name).copy() for name in before.tensors}
    with open_native(out) as reader:
        name, *others = reader.tensors
        first = reader.tensor(name)
        run(tmp_path, "convert", other, "--out", out, "--force")
        assert np.array_equal(first, whole[name])
        for name in others:
            with suppress(DigestError):
                assert np.array_equal(reader.tensor(name), whole[name])
        with pytest.raises(DigestError, match="changed while it was being read"):
            reader.check_unchanged()


def test_two_write_evidence(tmp_path: Path) -> None:
    out = run(tmp_path, "convert", good(tmp_path / "source"), "--out", tmp_path / "out")
    words = ("verify", out, "--upto", "files")
    both = [start(tmp_path, "-m", "zoo", *words) for _ in range(2)]
    for process in both:
        _, said = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, said
    assert evidence.read(out / "evidence.json").height == 1
    assert check_files(out, Silence()).status == "pass"
