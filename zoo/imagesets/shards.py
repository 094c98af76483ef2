"""webdataset shards: tars in which ``NAME.jpg`` and ``NAME.cls``, its label as text, are one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from zoo.errors import DatasetError
from zoo.imagesets import words
from zoo.imagesets.imagenet import imagenet
from zoo.imagesets.imageset import ImageSet, Readable, is_picture
from zoo.imagesets.own import is_imagenets, own
from zoo.imagesets.tree import Tree, open_tree

LABEL = ".cls"
LAYOUT = "webdataset shards"


def fits(tree: Tree) -> bool:
    return any(name.endswith((LABEL, ".tar")) for name in tree.files)


def open_shards(tree: Tree) -> ImageSet:
    """Opens a shard, or a folder of shards; labels without class names are ImageNet's.

    Raises:
        DatasetError: a picture has no label, a label no picture, or a label is no number.
        PathError, TruncatedError: as ``open_tree`` has it, of a shard.
    """
    found = words.own_words(tree)
    labelled = list(_labelled(tree))
    if found is None or is_imagenets(list(found[0]), found[1]):
        return imagenet(LAYOUT, labelled, where=tree.where)
    return own(tree, LAYOUT, list(found[0]), found[1], labelled)


def _labelled(tree: Tree) -> Iterator[tuple[str, int, Readable]]:
    shards = [name for name in tree.files if name.endswith(".tar")]
    if not shards:
        yield from _of_shard("", tree)
    for name in shards:
        yield from _of_shard(f"{name}/", open_tree(tree.files[name].path))


def _of_shard(prefix: str, shard: Tree) -> Iterator[tuple[str, int, Readable]]:
    stems = {
        # Everything after the first dot of the last part is the extension, as webdataset has it.
        name[: -len(PurePosixPath(name).name)] + PurePosixPath(name).name.partition(".")[0]: name
        for name in shard.files
        if is_picture(name)
    }
    labels = {name.removesuffix(LABEL) for name in shard.files if name.endswith(LABEL)}
    if alone := sorted(stems.keys() ^ labels):
        raise DatasetError(
            f"{alone[0]} has a picture or a label, and not both", where=f"{shard.where}"
        )
    for stem, name in stems.items():
        label = shard.text(stem + LABEL).strip()
        if not re.fullmatch(r"\d{1,9}", label, re.ASCII):
            raise DatasetError(f"the label of {name} is {label[:20]!r}", where=shard.where)
        yield prefix + name, int(label), shard.files[name]
