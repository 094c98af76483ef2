from __future__ import annotations

import os
import resource
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from zoo.convert.readers import mapped_file
from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import AccessError, DigestError, DiskError, NotFoundError, PathError, TruncatedError

CONTENT = bytes(range(256)) * 256  # 64 KiB


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize("window", [mapped_file.WINDOW, 4096])
@pytest.mark.parametrize(
    ("offset", "nbytes"),
    [(0, 65536), (0, 1), (65535, 1), (4095, 2), (4096, 4096), (100, 20_000), (65536, 0)],
)
def test_a_view_holds_the_files_bytes(path, monkeypatch, window, offset, nbytes):
    monkeypatch.setattr(mapped_file, "WINDOW", window)
    with MappedFile(path) as file:
        view = file.view(offset, nbytes)
        assert view == CONTENT[offset : offset + nbytes]
        assert view.readonly


def test_neighbours_share_a_window(path):
    with MappedFile(path) as file:
        first, second = file.view(0, 8), file.view(8, 8)
        assert first.obj is second.obj


def test_views_outlive_the_file(path):
    with MappedFile(path) as file:
        view = file.view(0, 256)
    assert view == CONTENT[:256]


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty"
    path.touch()
    with MappedFile(path) as file:
        assert file.size == 0
        assert file.view(0, 0) == b""


def test_more_than_there_is(path):
    with MappedFile(path) as file, pytest.raises(TruncatedError, match=r"65536 .* 65537"):
        file.view(65530, 7)


def _grow(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"!")


def _shrink(path: Path) -> None:
    os.truncate(path, 100)


def _rewrite(path: Path) -> None:
    path.write_bytes(CONTENT)
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))


def _replace(path: Path) -> None:
    status = path.stat()
    other = path.with_name("other")
    other.write_bytes(CONTENT)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


@pytest.mark.parametrize("change", [_grow, _shrink, _rewrite, _replace, Path.unlink])
def test_a_change_is_noticed(path, change):
    with MappedFile(path) as file:
        file.check_unchanged()
        change(path)
        with pytest.raises(DigestError, match="changed while it was being read"):
            file.check_unchanged()
        with pytest.raises(DigestError):  # before the window is mapped, which would end badly
            file.view(0, 100)


def test_reading_is_no_change(path):
    with MappedFile(path) as file:
        path.read_bytes()
        file.check_unchanged()


def test_what_is_not_there(tmp_path, path):
    with pytest.raises(NotFoundError, match="nothing"):
        MappedFile(tmp_path / "nothing")
    with pytest.raises(NotFoundError):
        MappedFile(path / "below a file")


def test_what_is_no_regular_file(tmp_path):
    with pytest.raises(PathError, match="a folder"):
        MappedFile(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(PathError, match="no regular file"):
        MappedFile(tmp_path / "pipe")
    with pytest.raises(PathError, match="no regular file"):
        MappedFile(Path("/dev/zero"))


def test_a_link_to_itself(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DiskError):
        MappedFile(tmp_path / "loop")


def test_no_permission(path, monkeypatch):
    # Tests may run as a user to whom everything is permitted.
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(AccessError, match="not permitted"):
        MappedFile(path)


def test_a_file_larger_than_the_address_space(tmp_path):
    """Every byte range of an 8 GiB file, in a process that may address 1 GiB more than it does."""
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(8 * 2**30)
    script = textwrap.dedent(
        f"""
        import resource
        from pathlib import Path
        from zoo.convert.readers.mapped_file import MappedFile
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + 2**30
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        with MappedFile(Path({str(path)!r})) as file:
            for start in range(0, file.size, 2**28):
                assert file.view(start, 2**28)[-1] == 0
        """
    )
    assert resource.getrlimit(resource.RLIMIT_AS)[1] == resource.RLIM_INFINITY
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
