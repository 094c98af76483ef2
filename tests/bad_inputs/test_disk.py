"""Disks that are full, fill up, or can't be written: exit 7, and what was there stays."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.case import Row
from tests.bad_inputs.cases.converted import converted
from tests.bad_inputs.checkpoint import good
from tests.proofs.scenarios import tree

ROOT = Path(__file__).parents[2]
COMMAND = ("convert", "{at}/in", "--out", "{at}/out", "--force", "--dtype", "float16")
EXPORT = ("export", "{at}/model", "--to", "open_clip", "--out", "{at}/out", "--force")
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
MAY_MOUNT = subprocess.run([*NAMESPACE, "true"], capture_output=True).returncode == 0
mounting = pytest.mark.skipif(not MAY_MOUNT, reason="this system lets nobody mount a file system")


@pytest.fixture
def at(tmp_path: Path) -> Path:
    """A folder with a source, a converted model, and an old output."""
    folder = tmp_path / "at"
    folder.mkdir()
    good(folder / "in")
    converted(folder)
    shutil.copytree(folder / "model", folder / "out")
    return folder


def words(command: tuple[str, ...], at: Path) -> list[str]:
    return [word.replace("{at}", str(at)) for word in command]


def test_less_space_than_is_needed(
    at: Path,
    run_zoo,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = tree(at)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    for command in (COMMAND, EXPORT):
        ran = run_zoo(*words(command, at))
        rows.FULL_DISK.check(ran.code, ran.stderr)
        assert tree(at) == before


# What is called to write, after how many calls the disk is full, and what is said then.
FULL = [
    *((os, "pwrite", calls, rows.FILLED_DISK) for calls in (0, 1, 50)),
    *((Path, "write_bytes", calls, rows.FILLED_LATE) for calls in (0, 1)),  # at the very end
]


@pytest.mark.parametrize(("owner", "write", "calls", "row"), FULL)
@pytest.mark.parametrize("command", [COMMAND, EXPORT])
def test_the_disk_fills_up(
    at: Path,
    run_zoo,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    owner: Any,
    write: str,
    calls: int,
    row: Row,
) -> None:
    before = tree(at)
    monkeypatch.setattr(owner, write, full_after(calls, getattr(owner, write)))
    ran = run_zoo(*words(command, at))
    row.check(ran.code, ran.stderr)
    assert tree(at) == before


def full_after(calls: int, write: Callable[..., int]) -> Callable[..., int]:
    """``write``, which finds the disk full after some calls."""
    left = [calls]

    def limited(*args: Any) -> int:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(*args)

    return limited


@pytest.mark.parametrize("limit", [0, 1000, 100_000])
@pytest.mark.parametrize("command", [COMMAND, EXPORT])
def test_a_limit_on_the_size_of_files(at: Path, command: tuple[str, ...], limit: int) -> None:
    before = tree(at)
    ran = subprocess.run(
        [sys.executable, "-m", "zoo", *words(command, at)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    rows.SIZE_LIMIT.check(ran.returncode, ran.stderr)
    assert tree(at) == before


def on_a_disk(
    at: Path, options: str, command: tuple[str, ...] = COMMAND, module: str = "zoo"
) -> subprocess.CompletedProcess[str]:
    """Runs a command in which ``{at}/out`` is on a file system of its own, as the old output is,
    and compares.

    The file system is seen by this one process and ends with it.
    """
    script = """
set -e
mkdir "$1/disk"; mount -t tmpfs -o size=8m none "$1/disk"
cp -r "$1/out" "$1/disk/out"; mount -o remount,"$2" "$1/disk"
at="$1"; shift 2
set +e
"$@"; code=$?
diff -r "$at/out" "$at/disk/out" && test "$(ls -A "$at/disk")" = out || exit 99
exit $code
"""
    there = [word.replace("{at}/out", "{at}/disk/out") for word in command]
    program = (sys.executable, "-m", module, *words(tuple(there), at))
    return subprocess.run(
        [*NAMESPACE, "sh", "-c", script, "sh", at, options, *program],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


# Beside the old output, 1m has no room for the weights, 1400k none for their header, and the last
# none for the provenance.
@mounting
@pytest.mark.parametrize("size", ["1m", "1400k", "1412k", "1424k", "1436k"])
def test_a_small_disk(at: Path, size: str) -> None:
    ran = on_a_disk(at, f"size={size}")
    assert ran.returncode == 7, ran.stderr
    assert ran.stderr.count("zoo: DISK: ") == 1 and "Traceback" not in ran.stderr


@mounting
def test_a_small_disk_for_an_export(at: Path) -> None:
    ran = on_a_disk(at, "size=1400k", EXPORT)
    assert ran.returncode == 7, ran.stderr
    assert ran.stderr.count("zoo: DISK: ") == 1 and "Traceback" not in ran.stderr


@mounting
def test_a_small_disk_for_evidence(at: Path) -> None:
    """Of a verification, which tells what it has found all the same."""
    used = sum(-(-path.stat().st_size // 4096) * 4096 for path in (at / "out").iterdir())
    ran = on_a_disk(at, f"size={used // 1024}k", ("verify", "{at}/out", "--upto", "files"))
    assert ran.returncode == 7, ran.stderr
    assert ran.stderr.count("zoo: DISK: ") == 1 and "Traceback" not in ran.stderr


TRAINING = ("--output_dir", "{at}/out", "--save_steps", "1", "--max_steps")


@mounting
def test_a_small_disk_for_the_checkpoints_of_a_training(at: Path) -> None:
    """A training without a framework, which has room for one checkpoint and not for two."""
    shutil.rmtree(at / "out")
    trainer = (sys.executable, "-m", "tests.proofs.trainer", *words(TRAINING, at))
    subprocess.run([*trainer, "1"], check=True, cwd=ROOT)
    size = sum(path.stat().st_size for path in (at / "out").rglob("*")) // 1024
    again = (*TRAINING, "2", "--resume_from_checkpoint", "True")
    ran = on_a_disk(at, f"size={size * 3 // 2}k", again, "tests.proofs.trainer")
    assert ran.returncode == 1, ran.stderr
    assert "DiskError: the disk is full" in ran.stderr


@mounting
def test_a_disk_that_is_large_enough(at: Path) -> None:
    assert on_a_disk(at, "size=8m").returncode == 99  # the old output is no longer there


@mounting
def test_a_disk_that_is_read_only(at: Path) -> None:
    ran = on_a_disk(at, "ro")
    rows.READ_ONLY.check(ran.returncode, ran.stderr)
