"""Which layout a data set has, told once and from its file names: the table below."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from zoo.errors import DatasetError
from zoo.files import expanded, missing
from zoo.imagesets import bundled, captions, flat, folders, parquet, shards
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.imageset import ImageSet, is_picture
from zoo.imagesets.tree import Tree, open_tree
from zoo.imagesets.words import ADVICE


class Layout(NamedTuple):
    fits: Callable[[Tree], bool]
    open: Callable[[Tree], ImageSet | CaptionSet]


LAYOUTS = (
    Layout(captions.fits, captions.open_captions),
    Layout(parquet.fits, parquet.open_parquet),
    Layout(flat.fits, flat.open_flat),
    Layout(folders.fits, folders.open_folders),
    Layout(shards.fits, shards.open_shards),
)
VALIDATION = ("ILSVRC2012_img_val.tar", "val", "validation")  # of a folder that holds more


def open_imageset(data: str) -> ImageSet:
    """Opens a data set of labelled pictures; as ``open_data``.

    Raises:
        DatasetError: its pictures have captions, and no labels.
    """
    found = open_data(data)
    if isinstance(found, CaptionSet):
        raise DatasetError("these pictures have captions, and no labels", where=data)
    return found


def open_data(data: str) -> ImageSet | CaptionSet:
    """Opens a data set, whatever its layout.

    Args:
        data: a folder, a tar or a parquet file; or the name of the bundled digits.

    Raises:
        NotFoundError: there is nothing at the path, or a library that reads it is not installed.
        DatasetError: it is of no known layout, or not what its layout demands.
        PathError, TruncatedError: of a tar, as ``open_tree`` has it.
        DiskError, AccessError: as the system says.
    """
    if data == bundled.NAME:
        return bundled.held_out_digits()
    path = expanded(data)
    if not path.exists():
        raise missing(path, "data set")
    path = _validation(path)
    tree = _lone_parquet(path) or open_tree(path)
    for layout in LAYOUTS:
        if layout.fits(tree):
            return layout.open(tree)
    raise DatasetError(_what(tree), where=path, remedy=f"A folder per class will do. {ADVICE}")


def _what(tree: Tree) -> str:
    if not tree.files:
        return "there are no files"
    if any(map(is_picture, tree.files)):
        return "loose pictures, and nothing says which class each is of"
    return "no data set of a known layout"


def _validation(path: Path) -> Path:
    """The validation set of a folder that also holds other things, such as training pictures."""
    found = (path / name for name in VALIDATION)
    return next((place for place in found if place.exists()), path)


def _lone_parquet(path: Path) -> Tree | None:
    """One parquet file with the words beside it."""
    if not (path.is_file() and path.suffix == parquet.SUFFIX):
        return None
    files = open_tree(path.parent).files
    others = {name for name in files if name.endswith(parquet.SUFFIX)} - {path.name}
    return Tree(where=path, files={n: s for n, s in files.items() if n not in others})
