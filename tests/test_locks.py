from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.folders import names
from zoo.errors import DiskError, LockError
from zoo.locks import forget_lock, locked


def test_a_lock_is_held_by_one_at_a_time_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "folder" / "out"
    inside = 0
    most = 0
    waited: list[str] = []

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(target, waited.append):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == 1
    assert set(waited) == {"another process is using out; waiting"}
    assert not names(target.parent)


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    target = tmp_path / "out"
    code = (
        "import sys, time, pathlib; from zoo.locks import locked\n"
        f"with locked(pathlib.Path({str(target)!r}), print):\n"
        "    print('locked', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"locked\n"
        holder.kill()
    said: list[str] = []
    with locked(target, said.append):
        assert not said
    assert not names(tmp_path)


def test_only_the_lock_of_a_killed_process_is_forgotten(tmp_path: Path) -> None:
    target = tmp_path / "out"
    with locked(target, print):
        forget_lock(target)
        assert names(tmp_path) == [".out.lock"]
    (tmp_path / ".out.lock").touch()
    forget_lock(target)
    forget_lock(target)
    assert not names(tmp_path)


def test_a_lock_that_changes_hands_meanwhile_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / ".out.lock"
    path.touch()
    flock = fcntl.flock

    def late(handle: int, operation: int) -> None:
        path.unlink()  # the holder ends ...
        path.touch()  # ... and another begins
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    forget_lock(tmp_path / "out")
    assert names(tmp_path) == [".out.lock"]


def test_a_lock_that_can_t_be_made_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskError, match=r"Not a directory|File exists"):
        locked(tmp_path / "file" / "out", print).__enter__()


def test_a_shared_lock_is_held_by_many_and_keeps_a_single_one_out(tmp_path: Path) -> None:
    target, said = tmp_path / "kind", list[str]()

    def refuse(text: str) -> None:
        said.append(text)
        raise LockError("held")

    with locked(target, refuse, shared=True):
        with locked(target, refuse, shared=True):
            assert not said
        with pytest.raises(LockError), locked(target, refuse):
            pass  # the second holder has gone, and has not taken the first one's lock away
    with locked(target, refuse), pytest.raises(LockError):
        locked(target, refuse, shared=True).__enter__()
    assert said == ["another process is using kind; waiting"] * 2
    assert not names(tmp_path)
