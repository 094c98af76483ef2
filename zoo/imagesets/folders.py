"""A folder per class: ImageNet's by WordNet id, the seed's, and anyone's with names of their own.

The seed's (PaddleMIX's) layout is ``images/CLASS/PICTURE`` beside ``templates.txt`` and
``labels.txt``, whose line i names the i-th class folder in sorted order.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from zoo.errors import DatasetError
from zoo.imagesets import words
from zoo.imagesets.imagenet import WORDNET_ID, imagenet, label_of
from zoo.imagesets.imageset import ImageSet, Readable, is_picture
from zoo.imagesets.own import is_imagenets, own
from zoo.imagesets.tree import Stored, Tree

IMAGES = "images/"
BY_ID = "class folders by WordNet id"


def fits(tree: Tree) -> bool:
    return any("/" in name for name in _pictures(tree).files)


def open_folders(tree: Tree) -> ImageSet:
    """Opens class folders.

    Raises:
        DatasetError: nothing names the classes, names and folders are not as many, a picture lies
            outside of a class folder, or a file among them is none.
    """
    folders = _by_folder(tree)
    found = words.own_words(tree)
    if found is None:
        if not all(WORDNET_ID.fullmatch(name) for name in folders):
            raise DatasetError(
                f"nothing names the classes: {_some(folders)} are no WordNet ids",
                where=tree.where,
                remedy=words.ADVICE,
            )
        return _imagenet(tree, BY_ID, folders)
    stated, templates = found
    seeds = any(name.startswith(IMAGES) for name in tree.files)
    layout = "images/ with labels.txt and templates.txt" if seeds else "class folders with names"
    if all(name in label_of() for name in folders) and is_imagenets(list(stated), templates):
        return _imagenet(tree, layout, folders)  # the ids say which name is whose
    names = _in_order(stated, list(folders), tree)
    labels = {folder: label for label, folder in enumerate(folders)}
    return own(tree, layout, names, templates, _labelled(folders, labels))


def _pictures(tree: Tree) -> Tree:
    return tree.below(IMAGES) if any(n.startswith(IMAGES) for n in tree.files) else tree


def _by_folder(tree: Tree) -> dict[str, dict[str, Stored]]:
    """Class folder -> its pictures, both in sorted order."""
    folders: dict[str, dict[str, Stored]] = {}
    for name, stored in _pictures(tree).files.items():
        folder, _, rest = name.partition("/")
        if not rest:
            continue  # the words, and whatever else lies at the root
        if not is_picture(name):
            raise DatasetError("among the pictures lies a file that is none", where=name)
        folders.setdefault(folder, {})[name] = stored
    return dict(sorted(folders.items()))


def _in_order(
    stated: Sequence[str] | Mapping[str, str], folders: Sequence[str], tree: Tree
) -> tuple[str, ...]:
    """One name per folder."""
    if isinstance(stated, Mapping):
        if strange := sorted(set(folders) ^ set(stated)):
            raise DatasetError(
                f"class names and class folders differ: {_some(strange)}", where=tree.where
            )
        return tuple(stated[folder] for folder in folders)
    if len(stated) != len(folders):
        raise DatasetError(
            f"there are {len(stated):,} class names and {len(folders):,} class folders",
            where=tree.where,
        )
    if all(name.isdigit() for name in folders) and len({len(name) for name in folders}) > 1:
        raise DatasetError(
            f"the class folders are numbers ({_some(folders)}), and in sorted order 10 comes "
            "before 2: which name belongs to which folder is open",
            where=tree.where,
            remedy='Write classes.json as an object: {"0": "tench", "1": "goldfish", ...}.',
        )
    return tuple(stated)


def _imagenet(tree: Tree, layout: str, folders: Mapping[str, Mapping[str, Stored]]) -> ImageSet:
    labels = label_of()
    if strangers := [name for name in folders if name not in labels]:
        raise DatasetError(
            f"{_some(strangers)} are no classes of ImageNet's 1,000",
            where=tree.where,
            remedy=words.ADVICE,
        )
    return imagenet(layout, _labelled(folders, labels), where=tree.where)


def _labelled(
    folders: Mapping[str, Mapping[str, Stored]], labels: Mapping[str, int]
) -> Iterator[tuple[str, int, Readable]]:
    for folder, pictures in folders.items():
        for name, stored in pictures.items():
            yield name, labels[folder], stored


def _some(names: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(list(names)[:3]) + (", ..." if len(names) > 3 else "")
