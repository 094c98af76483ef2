"""A file on disk, mapped into memory window by window."""

from __future__ import annotations

import mmap
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self
from weakref import WeakValueDictionary

from zoo.errors import AccessError, DigestError, DiskError, NotFoundError, PathError, TruncatedError

# Only windows in use are mapped, so that address space and resident memory stay bounded however
# large the file is. Every mapping holds a file descriptor, so neighbours share one.
WINDOW = 128 * 2**20


class MappedFile:
    """A regular file open for reading; what it hands out stays valid after it is closed.

    Raises:
        NotFoundError, AccessError, PathError, DiskError: it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _file_errors(path):
            # Looked at before it is opened: opening a pipe would wait for its other end.
            if not stat.S_ISREG(path.stat().st_mode):
                kind = "a folder" if path.is_dir() else "no regular file"
                raise PathError(f"this is {kind}", where=path, remedy="Give a checkpoint's file.")
            self._file = path.open("rb", buffering=0)
            self._stamp = _stamp(os.fstat(self._file.fileno()))
        self._windows: WeakValueDictionary[tuple[int, int], mmap.mmap] = WeakValueDictionary()
        self._latest: mmap.mmap | None = None  # kept for the neighbour that is often next

    @property
    def size(self) -> int:
        """Bytes in the file when it was opened."""
        return self._stamp[0]

    def view(self, offset: int, nbytes: int) -> memoryview:
        """``nbytes`` bytes from ``offset`` on, read-only and mapped, not copied.

        Raises:
            TruncatedError: the file ends before.
            DigestError: the file has changed since it was opened.
        """
        end = offset + nbytes
        if end > self.size:
            raise TruncatedError(
                f"the file has {self.size} bytes, and at least {end} are needed",
                where=self.path,
                remedy="Download it again.",
            )
        if nbytes == 0:
            return memoryview(b"")
        start = offset - offset % WINDOW
        if end <= start + WINDOW:
            end = min(start + WINDOW, self.size)
        else:
            start = offset - offset % mmap.ALLOCATIONGRANULARITY
        window = self._window(start, end)
        return memoryview(window)[offset - start : offset - start + nbytes]

    def _window(self, start: int, end: int) -> mmap.mmap:
        window = self._windows.get((start, end))
        if window is None:
            self.check_unchanged()  # a file cut short would end the process with SIGBUS
            with _file_errors(self.path):
                window = mmap.mmap(
                    self._file.fileno(), end - start, offset=start, access=mmap.ACCESS_READ
                )
            self._windows[start, end] = window
        self._latest = window
        return window

    def check_unchanged(self) -> None:
        """Compares size, time of change and inode with those found at opening.

        Raises:
            DigestError: they differ, or the file has gone.
        """
        try:
            unchanged = _stamp(self.path.stat()) == self._stamp
        except OSError:
            unchanged = False
        if not unchanged:
            raise DigestError(
                "the file changed while it was being read",
                where=self.path,
                remedy="Run again when nothing writes to it.",
            )

    def close(self) -> None:
        self._latest = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_size, status.st_mtime_ns, status.st_ino


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("there is no such file", where=path) from error
    except PermissionError as error:
        raise AccessError("reading this file is not permitted", where=path) from error
    except OSError as error:
        raise DiskError(f"this file can't be read: {error.strerror}", where=path) from error
