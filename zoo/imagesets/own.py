"""A data set of someone's own: its name, and what its numbers as labels mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zoo.imagesets import imagenet
from zoo.imagesets.imageset import ImageSet, Readable, in_order
from zoo.imagesets.tree import Tree


def own(
    tree: Tree,
    layout: str,
    names: Sequence[str],
    templates: Sequence[str],
    labelled: Iterable[tuple[str, int, Readable]],
) -> ImageSet:
    """The pictures under the folder's own name; nothing is known of how many there should be.

    Raises:
        DatasetError: as ImageSet does.
    """
    pictures = in_order(labelled)
    return ImageSet(
        name=f"own data: {tree.where.name}",
        layout=layout,
        classes=tuple(names),
        templates=tuple(templates),
        pictures=pictures,
        expected=len(pictures),
        whole=False,
    )


def is_imagenets(names: Sequence[str], templates: Sequence[str]) -> bool:
    """Whether these are the words of ImageNet's protocol; others measure something else."""
    return (*names,) == imagenet.class_names() and (*templates,) == imagenet.templates()
