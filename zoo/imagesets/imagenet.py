"""ImageNet's validation set: 1,000 classes in the order of their WordNet ids, 50 pictures each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import msgspec

from zoo import data
from zoo.errors import DatasetError
from zoo.imagesets.imageset import ImageSet, Readable, in_order

NAME = "imagenet1k"
CLASSES = 1000
PICTURES = 50_000
ALMOST = 0.99  # of the whole: what has more and is not whole was damaged, nobody chose it
WORDNET_ID = re.compile(r"n\d{8}")


@cache
def class_names() -> tuple[str, ...]:
    """open_clip's, in the order of the labels; two occur twice."""
    return _strings("imagenet_classes.json")


@cache
def templates() -> tuple[str, ...]:
    """open_clip's 80."""
    return _strings("imagenet_templates.json")


@cache
def label_of() -> Mapping[str, int]:
    """WordNet id to label."""
    return {wordnet_id: i for i, wordnet_id in enumerate(_strings("imagenet_wordnet_ids.json"))}


def imagenet(
    layout: str, labelled: Iterable[tuple[str, int, Readable]], *, where: Path
) -> ImageSet:
    """ImageNet, or the part of it that these are.

    Args:
        layout: how it lies on disk, in words.
        labelled: each picture's name, label and bytes.
        where: for messages.

    Raises:
        DatasetError: there are too many, or they lack so little of the whole that it was lost.
    """
    pictures = in_order(labelled)
    per_class = Counter(picture.label for picture in pictures)
    whole = len(per_class) == CLASSES and set(per_class.values()) == {PICTURES // CLASSES}
    counts = f"{len(per_class):,} of {CLASSES:,} classes, {len(pictures):,} of {PICTURES:,} images"
    full = min(len(per_class) / CLASSES, 1) if len(per_class) < CLASSES else 0
    if not whole and (full >= ALMOST or len(pictures) >= ALMOST * PICTURES):
        raise DatasetError(
            f"ImageNet's validation set is damaged: {counts}{_uneven(per_class)}",
            where=where,
            remedy="Unpack it anew; a subset on purpose has less than "
            f"{ALMOST:.0%} of the classes or of the images.",
        )
    return ImageSet(
        name=NAME,
        layout=layout if whole else f"{layout}; a subset: {counts}",
        classes=class_names(),
        templates=templates(),
        pictures=pictures,
        expected=PICTURES,
        whole=whole,
    )


def _uneven(per_class: Counter[int]) -> str:
    each = PICTURES // CLASSES
    if len(per_class) != CLASSES:
        return ""
    odd = [label for label, count in sorted(per_class.items()) if count != each]
    names = {label: wordnet_id for wordnet_id, label in label_of().items()}
    return "; " + ", ".join(
        f"{names.get(label, f'label {label}')} has {per_class[label]} and not {each}"
        for label in odd[:3]
    )


def _strings(name: str) -> tuple[str, ...]:
    return msgspec.json.decode(data.path(name).read_bytes(), type=tuple[str, ...])
