"""Parquet files as Hugging Face's datasets library writes them: a struct ``image`` of bytes and
path, and an integer ``label`` whose names stand in the file's metadata.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
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
HELD = 1 << 27  # bytes of a row group that is held whole; the datasets library writes some 10 MB
BUFFER = 1 << 20  # bytes of a column that are read at a time
FEW = 32  # rows of a larger one that are held


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
        data = _group(self.path, self.group).picture(self.row)
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
        with _readable(path, group):
            labels = file.read_row_group(group, columns=["label"]).column("label").to_pylist()
        yield labels


class Group:
    """The pictures of a row group: the last batch of rows that was read, and those to come.

    A group that is not much is one batch. Of a larger one only some rows are in memory, and going
    back begins it anew.
    """

    def __init__(self, path: Path, group: int) -> None:
        self._path, self._group = path, group
        self._file = _open(path)
        metadata = self._file.metadata.row_group(group)
        small = metadata.total_byte_size <= HELD
        self._rows = max(1, metadata.num_rows) if small else FEW
        self._coming = self._batches()
        self._start = 0
        self._batch: list[Any] = []

    def picture(self, row: int) -> bytes | None:
        """Raises DatasetError where the file can't be read."""
        if row < self._start:
            self._coming, self._start, self._batch = self._batches(), 0, []
        while row >= self._start + len(self._batch):
            self._start += len(self._batch)
            self._batch = next(self._coming)
        cell = self._batch[row - self._start]
        data: bytes | None = cell.get("bytes") if isinstance(cell, dict) else cell
        return data

    def _batches(self) -> Iterator[list[Any]]:
        with _readable(self._path, self._group):
            found = self._file.iter_batches(self._rows, row_groups=[self._group], columns=["image"])
            for batch in found:
                yield batch.column("image").to_pylist()
        raise DatasetError(f"group {self._group} is cut off", where=self._path)


@lru_cache(maxsize=2)  # pictures of a group are asked for in turn
def _group(path: Path, group: int) -> Group:
    return Group(path, group)


@contextmanager
def _readable(path: Path, group: int) -> Iterator[None]:
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DatasetError(f"group {group} can't be read: {error}", where=path) from None


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
        return pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=BUFFER)
    except (pyarrow.ArrowException, OSError) as error:
        raise DatasetError(f"not parquet: {error}", where=path) from None
