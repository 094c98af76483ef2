"""Pictures with captions, for retrieval: COCO and Flickr30k, Karpathy's test splits.

Two forms of the same split are known::

    dataset_coco.json, dataset_flickr30k.json       Karpathy's own: every split, with sentences
    annotations/coco_karpathy_test.json             a list of pictures, each with its captions

The pictures lie beside the file, in ``images/`` or in ``flickr30k-images/``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec

from zoo.errors import DatasetError
from zoo.files import canonical_json
from zoo.imagesets.imageset import Picture, listing
from zoo.imagesets.tree import Tree

KARPATHY = ("dataset_coco.json", "dataset_flickr30k.json")
LISTED = ("annotations/coco_karpathy_test.json", "coco_karpathy_test.json")
SPLIT = "test"
PLACES = ("", "images/", "flickr30k-images/")


class Sentence(msgspec.Struct):
    """Of Karpathy's, what is needed: the words one by one are most of the file."""

    raw: str


class Image(msgspec.Struct):
    split: str
    filename: str
    sentences: list[Sentence]
    filepath: str = ""


class Karpathys(msgspec.Struct):
    images: list[Image]


@dataclass(frozen=True, kw_only=True)
class CaptionSet:
    """``owner[i]`` is the index of the picture that caption i belongs to; labels mean nothing.

    Raises:
        DatasetError: there is no picture, or one has no caption.
    """

    name: str
    layout: str
    pictures: tuple[Picture, ...]
    captions: tuple[str, ...]
    owner: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.pictures:
            raise DatasetError("there is no picture", where=self.name)
        if alone := sorted(set(range(len(self.pictures))) - set(self.owner)):
            raise DatasetError("a picture has no caption", where=self.pictures[alone[0]].name)

    @cached_property
    def listing_digest(self) -> str:
        """sha256 over every picture's name and size, and the captions."""
        content = [listing(self.pictures), self.captions, self.owner]
        return hashlib.sha256(canonical_json(content)).hexdigest()


def fits(tree: Tree) -> bool:
    return any(name in tree.files for name in (*KARPATHY, *LISTED))


def open_captions(tree: Tree) -> CaptionSet:
    """Opens the test split.

    Raises:
        DatasetError: the file is not of its form, or a picture that it names is not there.
    """
    name = next(name for name in (*KARPATHY, *LISTED) if name in tree.files)
    if name in KARPATHY:
        rows = list(_karpathys(_decoded(tree, name, Karpathys)))
    else:
        rows = list(_listed(_decoded(tree, name, Any)))
    pictures, captions, owner = [], [], []
    for place, (path, texts) in enumerate(rows):
        pictures.append(Picture(name=path, label=place, stored=_find(tree, path)))
        captions += texts
        owner += [place] * len(texts)
    return CaptionSet(
        name=name.rpartition("/")[2].removesuffix(".json"),
        layout=name,
        pictures=tuple(pictures),
        captions=tuple(captions),
        owner=tuple(owner),
    )


def _karpathys(document: Karpathys) -> Iterator[tuple[str, list[str]]]:
    for image in document.images:
        if image.split == SPLIT:
            path = f"{image.filepath}/{image.filename}" if image.filepath else image.filename
            yield path, [sentence.raw for sentence in image.sentences]


def _listed(document: Any) -> Iterator[tuple[str, list[str]]]:
    """One row per picture, or one per caption."""
    rows: dict[str, list[str]] = {}
    for image in document if isinstance(document, list) else [document]:
        caption = _field(image, "caption")
        texts = caption if isinstance(caption, list) else [caption]
        rows.setdefault(str(_field(image, "image")), []).extend(map(str, texts))
    yield from rows.items()


def _field(row: Any, name: str) -> Any:
    if not isinstance(row, Mapping) or name not in row:
        raise DatasetError(f"an annotation has no {name!r}")
    return row[name]


def _find(tree: Tree, path: str) -> Any:
    for place in PLACES:
        if place + path in tree.files:
            return tree.files[place + path]
    raise DatasetError(f"a picture is not there: {path!r}", where=tree.where)


def _decoded(tree: Tree, name: str, kind: Any) -> Any:
    try:
        return msgspec.json.decode(tree.text(name), type=kind)
    except msgspec.ValidationError as error:
        raise DatasetError(f"{name}: {error}", where=tree.where) from None
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DatasetError(f"{name} is not JSON: {error}", where=tree.where) from None
