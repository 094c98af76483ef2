"""What a repository holds at one commit, as the hub says or as its cache shows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import NameInvalidError

_COMMIT = re.compile(r"[0-9a-f]{40}")
_REVISION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,249}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class RepoFile:
    """A file of a repository.

    ``oid`` is what the hub names its content by: the sha256 of a file in LFS, git's blob id of any
    other, None where the cache could not keep it.
    """

    size: int  # bytes
    oid: str | None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files of a repository at ``commit``, by name."""

    commit: str
    files: Mapping[str, RepoFile]


def is_commit(revision: str) -> bool:
    """Whether a revision is a whole commit, which never comes to mean anything else."""
    return _COMMIT.fullmatch(revision) is not None


def check_revision(revision: str) -> str:
    """The revision, when it can be one; it becomes part of an address and of a path.

    Raises:
        NameInvalidError: it can't.
    """
    if not _REVISION.fullmatch(revision) or ".." in revision or "//" in revision:
        raise NameInvalidError(
            f"{revision!r} can't be a revision", remedy="A revision is a commit, a branch or a tag."
        )
    return revision


def matches(path: Path, sha256: str, oid: str | None) -> bool:
    """Whether a file whose sha256 is known has the content that ``oid`` names."""
    if oid is None:
        return True
    return oid == (sha256 if _SHA256.fullmatch(oid) else git_blob_id(path.read_bytes()))


def git_blob_id(data: bytes) -> str:
    """git's name of a content; the hub keeps small files in git itself."""
    header = b"blob %d\0" % len(data)
    return hashlib.sha1(header + data, usedforsecurity=False).hexdigest()
