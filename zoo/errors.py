"""One family of exceptions: each knows its exit code, its name and how to mend what happened.

The exit codes are a contract with scripts (docs/commands.md). Code that fails for a reason a user
can act on raises one of these; anything else is a bug and ends in a traceback under ``--debug``.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path


LONGEST = 1000  # characters of what happened: a hostile file's value may be megabytes


class ZooError(Exception):
    """Something a user can act on.

    Args:
        what: what happened, one sentence without a full stop; cut after LONGEST.
        where: the file, tensor, key or address it happened at.
        remedy: what to do about it, as an instruction.
    """

    exit_code: ClassVar[int] = 1
    name: ClassVar[str] = "UNEXPECTED"
    told = False  # whether the one document of --json has been printed, and says it

    def __init__(self, what: str, *, where: object = None, remedy: str | None = None) -> None:
        if len(what) > LONGEST:
            what = f"{what[:LONGEST]}..."
        super().__init__(what)
        self.what = what
        self.where = None if where is None else str(where)
        self.remedy = remedy

    def __str__(self) -> str:
        lines = [self.what if self.where is None else f"{self.what} ({self.where})"]
        if self.remedy:
            lines.append(self.remedy)
        return "\n".join(lines)


class UsageError(ZooError):
    """The command was called in a way that has no meaning."""

    exit_code = 2
    name = "USAGE"


class CheckError(ZooError):
    """A check ran and failed."""

    exit_code = 3
    name = "CHECK"


class InputError(ZooError):
    """An input that is invalid or unsafe; raise one of its children."""

    exit_code = 4
    name = "INPUT"


class FormatError(InputError):
    """The bytes are not what their format demands."""

    name = "FORMAT"


class TruncatedError(InputError):
    """A file ends before its header says it does."""

    name = "TRUNCATED"


class ConfigError(InputError):
    """A configuration is unknown, contradicts the tensors, or contradicts the manifest."""

    name = "CONFIG"


class PathError(InputError):
    """A path that leads where it must not, or an output that is already there."""

    name = "PATH"


class NameInvalidError(InputError):
    """A model or repository name that cannot be one."""

    name = "NAME"


class NonfiniteError(InputError):
    """A weight is NaN or infinite."""

    name = "NONFINITE"


class MappingError(InputError):
    """Tensor names or shapes do not fit the specification."""

    name = "MAPPING"


class DatasetError(InputError):
    """A data set is not what it claims to be."""

    name = "DATASET"


class DigestError(ZooError):
    """Bytes are not the ones that were recorded."""

    exit_code = 5
    name = "DIGEST"


class SignatureInvalidError(ZooError):
    """A signature does not belong to these bytes or this key."""

    exit_code = 5
    name = "SIGNATURE"


class NotFoundError(ZooError):
    """A model, file or library is not there."""

    exit_code = 6
    name = "NOTFOUND"


class OfflineError(ZooError):
    """The network is switched off and the files are not in the cache."""

    exit_code = 6
    name = "OFFLINE"


class NetworkError(ZooError):
    """The network was tried and failed."""

    exit_code = 6
    name = "NETWORK"


class DiskError(ZooError):
    """The disk is full, or reading or writing it failed."""

    exit_code = 7
    name = "DISK"


class AccessError(ZooError):
    """The file system does not permit it."""

    exit_code = 7
    name = "PERMISSION"


class LockError(ZooError):
    """Another process holds what this one needs."""

    exit_code = 7
    name = "LOCK"


class NotRunError(ZooError):
    """A rung that was asked for did not run."""

    exit_code = 8
    name = "NOTRUN"


def missing_library(library: str, extra: str, purpose: str) -> NotFoundError:
    """The error for an import that failed: says which extra brings the library."""
    return NotFoundError(
        f"{library} is not installed; {purpose} needs it",
        remedy=f"Install it with: pip install 'paddle-clip-zoo[{extra}]'",
    )


def as_zoo_error(error: OSError, path: Path | None) -> ZooError:
    """What an operating system's refusal means for a user; ``path`` is where it was met."""
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return AccessError(f"no permission: {error.strerror}", where=error.filename or path)
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskError(
            f"the disk is full: {error.strerror}",
            where=path,
            remedy="Nothing was changed. Free some space, or choose another place.",
        )
    return DiskError(f"reading or writing failed: {error.strerror}", where=error.filename or path)
