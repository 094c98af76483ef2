"""The files of a data set, whether they lie in a folder or in a tar that nobody unpacks.

A tar is read where it is, and its members are checked all the same: one that leads out of the
folder it would unpack into, a link or a device is no part of an honest data set.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from zoo.errors import DatasetError, PathError, TruncatedError, as_zoo_error
from zoo.imagesets.imageset import is_picture

DEPTH = 4  # folders below one another: no layout has more, and links can't lead in circles
MAX_BYTES = 1 << 28  # of one file: no picture that can be decoded has more
TRAINING = "train"  # beside the validation images, and of no concern


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The bytes of one file: all of a file on disk, or a part of a tar."""

    path: Path
    offset: int
    size: int

    def read(self) -> bytes:
        """Its bytes.

        Raises:
            DatasetError: they are too many for a picture.
            TruncatedError: there are fewer than there were.
            DiskError, AccessError: as the system says.
        """
        if self.size > MAX_BYTES:
            raise DatasetError(f"{self.size:,} bytes are too many for a picture", where=self.path)
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read(self.size)
        except OSError as error:
            raise as_zoo_error(error, self.path) from error
        if len(data) != self.size:
            raise TruncatedError("the file has become shorter", where=self.path)
        return data


@dataclass(frozen=True, kw_only=True)
class Tree:
    """``files`` are under their path relative to the root, sorted; hidden ones are left out."""

    where: Path
    files: Mapping[str, Stored]

    def below(self, folder: str) -> Tree:
        """The tree of one of its folders, named with its final slash."""
        return Tree(
            where=self.where,
            files={
                name.removeprefix(folder): stored
                for name, stored in self.files.items()
                if name.startswith(folder)
            },
        )

    def text(self, name: str) -> str:
        """A text file of the tree.

        Raises:
            DatasetError: it is not UTF-8.
        """
        try:
            return self.files[name].read().decode("utf-8-sig")
        except UnicodeDecodeError:
            raise DatasetError(f"{name} is not UTF-8", where=self.where) from None


def open_tree(path: Path) -> Tree:
    """The tree of a folder or a tar; a folder that only holds another is passed over.

    Raises:
        DatasetError: it is neither, or a tar that can't be read in place.
        PathError: a member of the tar leads out of it, or is a link or a device.
        TruncatedError: the tar is cut off.
        DiskError, AccessError: as the system says.
    """
    try:
        listed = _walk(path, "", DEPTH) if path.is_dir() else _members(path)
        tree = Tree(where=path, files=dict(sorted(listed)))
    except OSError as error:
        raise as_zoo_error(error, path) from error
    return _inside(tree)


def _walk(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, Stored]]:
    for entry in os.scandir(folder):
        name = prefix + entry.name
        if entry.name.startswith(".") or name == TRAINING:
            continue
        if entry.is_dir():
            if depth:
                yield from _walk(Path(entry.path), f"{name}/", depth - 1)
        else:
            yield name, Stored(path=Path(entry.path), offset=0, size=entry.stat().st_size)


def _members(path: Path) -> Iterator[tuple[str, Stored]]:
    length = path.stat().st_size
    try:
        with tarfile.open(path, "r:") as archive:
            for member in archive:
                _check(member, path)
                if not member.isfile() or PurePosixPath(member.name).name.startswith("."):
                    continue
                if member.offset_data + member.size > length:
                    raise TruncatedError("the tar is cut off", where=path)
                name = PurePosixPath(member.name).as_posix()
                yield name, Stored(path=path, offset=member.offset_data, size=member.size)
    except (tarfile.ReadError, ValueError) as error:  # a header's numbers that are none, too
        raise DatasetError(
            f"neither a folder nor a tar that can be read in place: {error}",
            where=path,
            remedy="A compressed tar has to be decompressed first.",
        ) from None


def _check(member: tarfile.TarInfo, path: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise PathError(f"a member of the tar leads out of it: {member.name!r}", where=path)
    if not (member.isdir() or member.isfile()) or member.issparse():
        raise PathError(f"a member of the tar is no plain file: {member.name!r}", where=path)
    if member.size < 0:
        raise DatasetError(f"a member of the tar has no size: {member.name!r}", where=path)


def _inside(tree: Tree) -> Tree:
    """Without the folders that only hold one other folder, as a tar of a folder begins with."""
    while True:
        tops = {"".join(name.partition("/")[:2]) for name in tree.files}
        top = tops.pop() if len(tops) == 1 else ""
        # A class folder stands alone too, where there is but one class; pictures lie in it.
        below = tree.below(top)
        if not top.endswith("/") or any(
            is_picture(name) and "/" not in name for name in below.files
        ):
            return tree
        tree = below
