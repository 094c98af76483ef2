"""A set of labelled pictures with the words to classify them by."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Protocol

from zoo.errors import DatasetError
from zoo.files import canonical_json

PLACE = "{}"  # a template's place for the class name; templates are plain text otherwise
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}


class Readable(Protocol):
    """Where a picture's bytes come from; it can be sent to another process."""

    @property
    def size(self) -> int | None:
        """In bytes; None where only reading tells."""

    def read(self) -> bytes: ...


@dataclass(frozen=True, kw_only=True)
class Picture:
    """``name`` is its own in the set; ``label`` is an index of the set's classes."""

    name: str
    label: int
    stored: Readable


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """``whole`` says that these are all the pictures there are under ``name``.

    Attributes:
        name: what claims call it, e.g. ``imagenet1k``.
        layout: how it lies on disk, in words.
        classes: a name per class; two may share one.
        templates: prompts with ``{}`` where the class name goes.
        pictures: in a fixed order, which is that on the disk.
        expected: how many there are under ``name``.

    Raises:
        DatasetError: there is no picture, no class or no template, a template has no place for the
            name, or a label is outside the classes.
    """

    name: str
    layout: str
    classes: tuple[str, ...]
    templates: tuple[str, ...]
    pictures: tuple[Picture, ...]
    expected: int
    whole: bool

    def __post_init__(self) -> None:
        for what, found in (
            ("picture", self.pictures),
            ("class name", self.classes),
            ("template", self.templates),
        ):
            if not found:
                raise DatasetError(f"there is no {what}", where=self.name)
        for template in self.templates:
            if PLACE not in template:
                raise DatasetError(f"a template has no {{}}: {template!r}", where=self.name)
        for picture in self.pictures:
            if not 0 <= picture.label < len(self.classes):
                raise DatasetError(
                    f"label {picture.label} is outside the {len(self.classes):,} classes",
                    where=picture.name,
                )

    @cached_property
    def prompts_digest(self) -> str:
        """sha256 over class names and templates."""
        return hashlib.sha256(canonical_json([self.classes, self.templates])).hexdigest()

    @cached_property
    def listing_digest(self) -> str:
        """sha256 over every picture's name, label and size."""
        return hashlib.sha256(canonical_json(listing(self.pictures))).hexdigest()


def in_order(labelled: Iterable[tuple[str, int, Readable]]) -> tuple[Picture, ...]:
    """Pictures from each one's name, label and bytes: by name, which is how they are stored, since
    going back and forth between the row groups of parquet files means to read each many times."""
    rows = sorted(labelled, key=lambda row: row[0])
    return tuple(Picture(name=name, label=label, stored=stored) for name, label, stored in rows)


def listing(pictures: Iterable[Picture]) -> list[list[object]]:
    """What can be told of pictures without reading them."""
    return [[picture.name, picture.label, picture.stored.size] for picture in pictures]


def is_picture(name: str) -> bool:
    """Whether a file is called a picture."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES
