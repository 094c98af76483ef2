"""Pictures without labels and texts without pictures: what embeddings are made of."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from zoo.errors import DatasetError, as_zoo_error
from zoo.files import canonical_json, missing
from zoo.imagesets.imageset import Picture, is_picture, listing
from zoo.imagesets.tree import Stored, open_tree

TAR = ".tar"


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Pictures and texts, each in a fixed order; they do not belong together."""

    pictures: tuple[Picture, ...]
    captions: tuple[str, ...]

    @cached_property
    def listing_digest(self) -> str:
        """sha256 over every picture's name and size, and the texts."""
        content = [listing(self.pictures), self.captions]
        return hashlib.sha256(canonical_json(content)).hexdigest()


def open_collection(images: Path | None, texts: Path | None) -> Collection:
    """Lists pictures and reads texts.

    Args:
        images: a folder, with all below it; a tar, or a folder of tars, which nobody unpacks; a
            text file with a path per line, relative to its own folder; or one picture.
        texts: a text file, one text per line.

    Raises:
        NotFoundError: there is nothing at a path.
        DatasetError: there is no picture, or a text file is not UTF-8.
        PathError, TruncatedError: of a tar, as ``open_tree`` has it.
        DiskError, AccessError: as the system says.
    """
    for path in (images, texts):
        if path is not None and not path.exists():
            raise missing(path)
    pictures: tuple[Picture, ...] = ()
    if images is not None:
        pictures = tuple(
            Picture(name=name, label=0, stored=stored) for name, stored in _pictures(images)
        )
        if not pictures:
            raise DatasetError("there is no picture", where=images)
    return Collection(pictures=pictures, captions=() if texts is None else _lines(texts))


def _pictures(path: Path) -> Iterator[tuple[str, Stored]]:
    if path.is_dir():
        for file in sorted(_below(path)):
            name = file.relative_to(path).as_posix()
            yield from _of_tar(name, file) if file.suffix == TAR else [(name, _stored(file))]
    elif path.suffix == TAR:
        yield from _of_tar("", path)
    elif is_picture(path.name):
        yield path.name, _stored(path)
    else:
        for line in filter(None, map(str.strip, _lines(path))):
            yield line, _stored(path.parent / line)


def _below(folder: Path) -> Iterator[Path]:
    """Pictures and tars, at any depth; hidden ones are left out, and links to folders too."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            if not name.startswith(".") and (is_picture(name) or name.endswith(TAR)):
                yield Path(place, name)


def _refuse(error: OSError) -> None:
    """Of a folder that can't be looked into, no picture is to be missing unseen."""
    raise as_zoo_error(error, None) from error


def _of_tar(prefix: str, path: Path) -> Iterator[tuple[str, Stored]]:
    for name, stored in open_tree(path).files.items():
        if is_picture(name):
            yield f"{prefix}/{name}" if prefix else name, stored


def _stored(file: Path) -> Stored:
    """A file as it is now; one that is not there says so when it is read."""
    try:
        size = file.stat().st_size
    except OSError:
        size = 0
    return Stored(path=file, offset=0, size=size)


def _lines(path: Path) -> tuple[str, ...]:
    """The lines of a text file; an empty one is one too, but for the last."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"this is not UTF-8: {error.reason}", where=path) from None
    except OSError as error:
        raise as_zoo_error(error, path) from error
    if "\0" in text:
        raise DatasetError("this is not UTF-8: it may be UTF-16", where=path)
    lines = text.replace("\r\n", "\n").split("\n")
    return tuple(lines[:-1] if lines[-1] == "" else lines)
