"""Locks, so that what two processes write at once is written by one after the other."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from zoo.errors import LockError, as_zoo_error

LOCK = ".lock"  # suffix of the file that is locked


@contextmanager
def locked(target: Path, say: Callable[[str], object], *, shared: bool = False) -> Iterator[None]:
    """Holds the lock of ``target`` (a file beside it); waits for another process, and says so.

    Those who ask for it ``shared`` hold it together, and keep out who asks for it alone.

    The lock is the kernel's (flock): it ends with its process, however that ends.

    Raises:
        LockError: the file system has no locks.
        AccessError, DiskError: as the system says.
    """
    path = target.parent / f".{target.name}{LOCK}"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle = _lock(
            path,
            fcntl.LOCK_SH if shared else fcntl.LOCK_EX,
            lambda: say(f"another process is using {target.name}; waiting"),
        )
    except OSError as error:
        raise as_zoo_error(error, path) from error
    try:
        yield
    finally:
        if not shared or _is_alone(handle):
            path.unlink(missing_ok=True)
        os.close(handle)


def forget_lock(target: Path) -> None:
    """Removes the lock file of a process that was killed; one that is held stays."""
    path = target.parent / f".{target.name}{LOCK}"
    with suppress(OSError):
        handle = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_nlink:  # else the file at this path is another's by now
                path.unlink()
        finally:
            os.close(handle)


def _is_alone(handle: int) -> bool:
    """Whether nobody else holds a shared lock, and nobody will before this one is given back."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(path: Path, kind: int, waiting: Callable[[], object]) -> int:
    """Opens and locks the file at ``path``; its last holder may remove it in between."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            _wait(handle, path, kind, waiting)
            if os.fstat(handle).st_nlink:
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _wait(handle: int, path: Path, kind: int, waiting: Callable[[], object]) -> None:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting()
        fcntl.flock(handle, kind)
    except OSError as error:
        path.unlink(missing_ok=True)  # nobody holds it, and nobody would remove it
        raise LockError(f"this file system has no locks: {error}", where=path) from None
