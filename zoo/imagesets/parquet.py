"""Parquet files as Hugging Face's datasets library writes them: a struct ``image`` of bytes and
path, and an integer ``label`` whose names stand in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from zoo.errors import DatasetError, missing_library
from zoo.imagesets import imagenet as whole
from zoo.imagesets import words
from zoo.imagesets.imagenet import imagenet
from zoo.imagesets.imageset import ImageSet, Readable
from zoo.imagesets.own import is_imagenets, own
from zoo.imagesets.tree import Tree

SUFFIX = ".parquet"
LAYOUT = "Hugging Face parquet"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One picture's place."""

    path: Path
    group: int
    row: int
    size: int | None = None

    def read(self) -> bytes:
        """The picture's bytes.

        Raises:
            DatasetError: the cell holds none, or the file can't be read.
        """
        data = _images(self.path, self.group)[self.row]
        if not data:
            raise DatasetError("a cell without a picture", where=f"{self.path}, row {self.row}")
        return data


def fits(tree: Tree) -> bool:
    return any(name.endswith(SUFFIX) for name in tree.files)


def open_parquet(tree: Tree) -> ImageSet:
    """Opens a folder of parquet files; 1,000 named labels, or unnamed ones, are ImageNet's.

    Raises:
        DatasetError: a file is not of this form, a label is missing, or nothing names the classes.
        NotFoundError: pyarrow is not installed.
    """
    files = [stored.path for name, stored in tree.files.items() if name.endswith(SUFFIX)]
    labelled = [row for path in files for row in _labelled(path)]
    found = words.own_words(tree)
    if found is not None and not is_imagenets(list(found[0]), found[1]):
        return own(tree, LAYOUT, list(found[0]), found[1], labelled)
    names = _label_names(files[0])
    if found is None and names is not None and len(names) != whole.CLASSES:
        raise DatasetError(
            f"{len(names):,} classes, which are not ImageNet's, and no templates",
            where=tree.where,
            remedy=words.ADVICE,
        )
    return imagenet(LAYOUT, labelled, where=tree.where)


def _labelled(path: Path) -> Iterator[tuple[str, int, Readable]]:
    for group, labels in enumerate(_labels(path)):
        for row, label in enumerate(labels):
            if not isinstance(label, int):
                raise DatasetError(f"row {row} of group {group} has no label", where=path)
            yield f"{path.name}/{group:05}/{row:05}", label, Cell(path=path, group=group, row=row)


def _labels(path: Path) -> Iterator[list[Any]]:
    file = _open(path)
    if missing := {"image", "label"} - set(file.schema_arrow.names):
        raise DatasetError(f"there is no column {min(missing)!r}", where=path)
    for group in range(file.num_row_groups):
        yield _column(file, path, group, "label")


@lru_cache(maxsize=2)  # pictures of a group are asked for in turn
def _images(path: Path, group: int) -> list[bytes | None]:
    column = _column(_open(path), path, group, "image")
    return [cell.get("bytes") if isinstance(cell, dict) else cell for cell in column]


def _column(file: Any, path: Path, group: int, name: str) -> list[Any]:
    import pyarrow

    try:
        cells: list[Any] = file.read_row_group(group, columns=[name]).column(name).to_pylist()
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"group {group} can't be read: {error}", where=path) from None
    return cells


def _label_names(path: Path) -> list[str] | None:
    metadata = _open(path).schema_arrow.metadata or {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}"))["info"]["features"]
        return [str(name) for name in features["label"]["names"]]
    except (ValueError, KeyError, TypeError):
        return None


def _open(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing_library("pyarrow", "datasets", "reading parquet") from error
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"not parquet: {error}", where=path) from None
