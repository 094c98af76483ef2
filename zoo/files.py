"""Writing so that nothing is ever half there: folders that appear whole, small files, digests.

Every writer works in a folder beside the target and renames it into place; a process that dies
leaves the old target untouched and a leftover that the next run recognises and removes.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from zoo.errors import DigestError, DiskError, NotFoundError, PathError, as_zoo_error
from zoo.locks import LOCK, locked
from zoo.talk import shown_size

PARTIAL = ".partial"  # suffix of what is being written
MARK = "provenance.json"  # every folder that a command of zoo has written holds it
SHOWN = 3  # names in a message
CHUNK = 16 << 20  # bytes handled at a time
MAX_RECORD = 16 << 20  # bytes; the provenance of the largest model takes 0.4 MB
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def canonical_json(document: object) -> bytes:
    """The one JSON text of a document: sorted keys, no spaces, UTF-8; what digests are taken of."""
    return json.dumps(
        document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode()


def pretty_json(document: object) -> bytes:
    """The one JSON text that is written to files: sorted keys, indented, UTF-8, final newline."""
    text = json.dumps(document, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def read_record(path: Path) -> bytes:
    """The bytes of a provenance or evidence, which are read before they are known to be zoo's.

    Raises:
        FileNotFoundError: there is no such file.
        DigestError: it is larger than any that zoo writes.
        DiskError, AccessError: as the system says.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_RECORD + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise as_zoo_error(error, path) from error
    if len(data) > MAX_RECORD:
        raise DigestError(f"{path.name} is too large to be one that zoo wrote", where=path)
    return data


def sha256_file(path: Path, advance: Callable[[int], object] | None = None) -> str:
    """The sha256 of a file's bytes, in hex; ``advance`` is told of the bytes as they go."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(CHUNK))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            digest.update(buffer[:count])
            if advance:
                advance(count)
    return digest.hexdigest()


def expanded(text: str | Path) -> Path:
    """The path that a user means, with ``~`` in place.

    Raises:
        NotFoundError: it begins with ``~NAME``, and there is nobody of this name.
    """
    try:
        return Path(text).expanduser()
    except RuntimeError:
        raise NotFoundError("there is no such home folder", where=text) from None


def missing(path: Path, what: str = "file or folder") -> NotFoundError:
    """The error of a path that leads nowhere: says what nearly has its name, or where it was looked
    for, since the current folder may be another than was thought."""
    from difflib import get_close_matches

    remedy = f"It was looked for at {path.absolute()}."
    with suppress(OSError):
        names = [other.name for other in path.parent.iterdir()]
        if near := get_close_matches(path.name, names, n=1):
            there = path.with_name(near[0])
            bare = not (there.is_absolute() or str(there).startswith("."))
            remedy = f"Did you mean: {'./' if bare else ''}{there}"  # a bare word is a model's name
    return NotFoundError(f"there is no such {what}", where=path, remedy=remedy)


def check_space(folder: Path, need: int, *, elsewhere: str) -> None:
    """Compares the need in bytes with what is free, before the first byte.

    Args:
        folder: where it is to be.
        need: in bytes.
        elsewhere: by what the user chooses another place: an option or a variable.

    Raises:
        DiskError: there is less.
    """
    free = shutil.disk_usage(folder).free
    if free < need:
        raise DiskError(
            f"{shown_size(need)} are needed and {shown_size(free)} are free",
            where=folder,
            remedy=f"Free some space, or choose another place with {elsewhere}.",
        )


@contextmanager
def new_folder(target: Path, *, replace: bool, mark: str = MARK) -> Iterator[Path]:
    """A folder to write into, which becomes ``target`` when the block ends without an error, and is
    on the disk by then.

    Call it under ``zoo.locks.locked(target)``: leftovers of dead processes are removed first.

    Args:
        target: what it becomes.
        replace, mark: see ``check_target``.

    Raises:
        PathError, AccessError, DiskError: see ``check_target``; as the system says.
    """
    check_target(target, replace=replace, mark=mark)
    partial = target.parent / f".{target.name}{PARTIAL}"
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        sync(partial)
        if target.exists():
            _exchange(partial, target)
        else:
            partial.rename(target)
    except OSError as error:
        raise as_zoo_error(error, target) from error
    finally:
        _remove(partial)


def sync(folder: Path) -> None:
    """Forces all that is in a folder to the disk: what is renamed then outlives a power failure."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some file systems can't
                raise
        finally:
            os.close(handle)


def _remove(folder: Path) -> None:
    """Removes a folder, and goes on where a signal breaks in."""
    try:
        shutil.rmtree(folder, ignore_errors=True)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def check_target(
    target: Path, *, replace: bool, mark: str = MARK, source: Path | None = None
) -> None:
    """Whether a folder may be written at ``target``.

    Args:
        target: where.
        source: what it is made from, which is not to be in it.
        replace: whether one that is there may be replaced.
        mark: the file by which such a one is known. Nothing else is ever replaced, so that a slip
            in a path costs nobody a folder of their own.

    Raises:
        PathError: it is a link or a file, has no name of its own, or holds the source or something
            that may not be replaced.
        AccessError: it can't be looked at.
    """
    if target.name in ("", ".."):
        raise PathError("the output needs a name of its own", where=target)
    try:
        if target.is_symlink():
            raise PathError("the output is a link, which zoo does not follow", where=target)
        if target.exists() and not target.is_dir():
            raise PathError("the output exists and is no folder", where=target)
        if source and source.resolve().is_relative_to(target.resolve()):
            raise PathError(
                "the output would take the place of the source",
                where=target,
                remedy="Choose another --out.",
            )
        names = sorted(path.name for path in target.iterdir()) if target.is_dir() else []
    except OSError as error:
        raise as_zoo_error(error, target) from error
    if names and mark not in names:
        found = ", ".join(map(repr, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")
        raise PathError(
            f"the output exists and is not zoo's: it has no {mark}, and holds {found}",
            where=target,
            remedy="Choose another --out. zoo replaces only what it wrote, --force or not.",
        )
    if names and not replace:
        raise PathError(
            "the output exists", where=target, remedy="Choose another --out, or add --force."
        )


def _exchange(new: Path, old: Path) -> None:
    """Swaps two folders in one step, so that there is no moment without a whole one."""
    libc = ctypes.CDLL(None, use_errno=True)
    rename = getattr(libc, "renameat2", None)
    if rename is not None:
        names = (os.fsencode(new), os.fsencode(old))
        if rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0:
            return
    # No exchange on this system: the old folder steps aside first, and is whole all the while.
    aside = old.parent / f".{old.name}.old"
    shutil.rmtree(aside, ignore_errors=True)
    old.rename(aside)
    new.rename(old)
    shutil.rmtree(aside, ignore_errors=True)


def write_atomic(path: Path, data: bytes) -> None:
    """Writes a small file whole or not at all; of several writers each waits for the one before.

    Raises:
        LockError: the file system has no locks.
        DiskError, AccessError: as the system says.
    """
    temporary = path.with_name(f".{path.name}{PARTIAL}")
    with locked(path, lambda _: None):
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise as_zoo_error(error, path) from error
        finally:
            temporary.unlink(missing_ok=True)


def leftovers(name: str) -> set[str]:
    """What a process that was killed while it wrote ``name`` has left beside it."""
    return {f".{name}{PARTIAL}", f".{name}{LOCK}"}


def self_digest(document: dict[str, Any]) -> str:
    """sha256 over a document's canonical JSON without its own ``digest`` field."""
    content = {key: value for key, value in document.items() if key != "digest"}
    return hashlib.sha256(canonical_json(content)).hexdigest()
