"""A checkpoint in shards: an index in JSON says which file holds which tensor.

The index: ``{"metadata": {...}, "weight_map": {tensor: file, ...}}``, in the folder of its shards.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from pathlib import Path

from zoo.convert.readers.layout import shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.recognise import ACCEPTED
from zoo.errors import FormatError, PathError
from zoo.strict_json import parse_object

MAX_INDEX = 16 * 2**20  # bytes; the index of a model of 1,000 tensors takes 0.1 MB
MAX_SHARDS = 4096
SHARD_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,254}")


def shards(index: MappedFile) -> dict[Path, set[str]]:
    """The files an index names, by name, and the tensors it says each holds.

    Raises:
        FormatError: this is not an index.
        PathError: a name leads out of the index's folder.
    """
    if index.size > MAX_INDEX:
        raise FormatError(f"this looks like JSON of {index.size} bytes, too large for an index")
    document = parse_object(index.view(0, index.size), what="the file")
    weight_map = document.get("weight_map")
    if weight_map is None:
        raise FormatError(
            "this looks like JSON, but not like an index of shards: it has no weight_map",
            remedy=ACCEPTED,
        )
    if not isinstance(weight_map, dict) or not weight_map:
        raise FormatError("the weight_map maps no tensors to files")
    tensors: dict[str, set[str]] = {}
    for tensor, name in weight_map.items():
        if not isinstance(name, str):
            raise FormatError(f"tensor {shown(tensor)} is mapped to what is no file name")
        tensors.setdefault(name, set()).add(tensor)
    if len(tensors) > MAX_SHARDS:
        raise FormatError(
            f"the index names {len(tensors)} files, and at most {MAX_SHARDS} are read"
        )
    return {_shard(index.path, name): tensors[name] for name in sorted(tensors)}


def check_shard(found: Collection[str], promised: set[str]) -> None:
    """Holds a shard against its index.

    Raises:
        FormatError: it lacks a tensor, or has one that the index does not name.
    """
    for tensor in sorted(promised.difference(found)):
        raise FormatError(f"the index says that tensor {shown(tensor)} is here, and it is not")
    for tensor in sorted(set(found) - promised):
        raise FormatError(f"the index does not say that tensor {shown(tensor)} is here")


def _shard(index: Path, name: str) -> Path:
    path = index.parent / name
    if not SHARD_NAME.fullmatch(name) or not _beside(path, index):
        raise PathError(
            f"the index names the shard {shown(name)}, which is not a file in its own folder",
            remedy="Don't use this checkpoint: an honest index has plain names only.",
        )
    return path


def _beside(shard: Path, index: Path) -> bool:
    """Whether a shard lies where its index lies.

    In Hugging Face's cache both are links into one folder of blobs, which may be links on. Only
    that cache's own program makes such an index; beside any other, a shard may lead nowhere else.
    """
    home = _real(index.parent)
    if index.is_symlink():  # and a shard that is not here yet would be beside it
        return _first_link(shard) in (_first_link(index), home)
    return _real(shard).parent == home


def _first_link(path: Path) -> Path:
    """The folder that a link leads into, or that a file lies in."""
    target = path.parent / path.readlink() if path.is_symlink() else path
    return _real(target.parent)


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))  # Path.resolve would raise on a link to itself
