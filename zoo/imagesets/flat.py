"""ImageNet's validation pictures as they are handed out: 50,000 in one folder or tar, their labels
in the development kit (``ILSVRC2012_devkit_t12``), where torchvision looks for them too.

Line i of the kit's ``ILSVRC2012_validation_ground_truth.txt`` is picture i's number in
``meta.mat``, which says which WordNet id that is.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from zoo.errors import DatasetError, missing_library
from zoo.imagesets.imagenet import imagenet, label_of
from zoo.imagesets.imageset import ImageSet, Readable
from zoo.imagesets.tree import Tree

PICTURE = re.compile(r"ILSVRC2012_val_(\d{8})\.JPEG", re.IGNORECASE)
KIT = "ILSVRC2012_devkit_t12"
TRUTH = "data/ILSVRC2012_validation_ground_truth.txt"
META = "data/meta.mat"
# What a compressed file may unpack to: the kit has a dozen members, the largest of 2 MB.
MAX_MEMBERS, MAX_MEMBER = 1000, 2**26


def fits(tree: Tree) -> bool:
    """Loose pictures of ImageNet's names: in class folders they need no kit."""
    loose = _inside_val(tree)
    return any(PICTURE.fullmatch(name) for name in loose.files)


def open_flat(tree: Tree) -> ImageSet:
    """Opens the flat validation set.

    Raises:
        DatasetError: the development kit is not there or not sound, or a picture has no label.
        NotFoundError: SciPy is not installed, which reads ``meta.mat``.
    """
    truth, meta = _kit(tree)
    label_by_number = _labels(meta)
    try:
        labels = [label_by_number[int(line)] for line in truth.split()]
    except ValueError as error:
        raise DatasetError(f"{TRUTH} is damaged: {error}", where=tree.where) from None
    except KeyError as error:
        raise DatasetError(f"{META} has no class {error}", where=tree.where) from None

    def labelled() -> Iterator[tuple[str, int, Readable]]:
        for name, stored in _inside_val(tree).files.items():
            if "/" in name:
                continue  # the kit
            found = PICTURE.fullmatch(name)
            if found is None:
                raise DatasetError("among ImageNet's pictures lies another file", where=name)
            number = int(found[1])
            if not 1 <= number <= len(labels):
                raise DatasetError(f"{TRUTH} has no line {number}", where=name)
            yield name, labels[number - 1], stored

    return imagenet("flat, with the development kit", labelled(), where=tree.where)


def _inside_val(tree: Tree) -> Tree:
    return tree.below("val/") if any(n.startswith("val/") for n in tree.files) else tree


def _kit(tree: Tree) -> tuple[str, bytes]:
    """Ground truth and meta.mat: among the tree's own files, or beside it."""
    beside = tree.where.parent if tree.where.is_file() else tree.where
    places: list[Callable[[], Mapping[str, bytes] | None]] = [
        lambda: _in_tree(tree, f"{KIT}/"),
        lambda: _in_tree(tree, ""),
        *(
            lambda folder=folder: _in_folder(folder)
            for folder in (beside / KIT, beside.parent / KIT)
        ),
        *(
            lambda folder=folder: _in_archive(folder / f"{KIT}.tar.gz")
            for folder in (beside, beside.parent)
        ),
    ]
    for place in places:
        if found := place():
            return found[TRUTH].decode("ascii", "replace"), found[META]
    raise DatasetError(
        "loose pictures, and nothing says which class each is of",
        where=tree.where,
        remedy=f"Put the development kit beside them: {KIT}.tar.gz, or the folder {KIT}.",
    )


def _in_tree(tree: Tree, prefix: str) -> Mapping[str, bytes] | None:
    names = (TRUTH, META)
    if all(prefix + name in tree.files for name in names):
        return {name: tree.files[prefix + name].read() for name in names}
    return None


def _in_folder(folder: Path) -> Mapping[str, bytes] | None:
    paths = {name: folder / name for name in (TRUTH, META)}
    if not all(path.is_file() for path in paths.values()):
        return None
    return {name: path.read_bytes() for name, path in paths.items()}


def _in_archive(path: Path) -> Mapping[str, bytes] | None:
    if not path.is_file():
        return None
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path, "r:gz") as archive:
            for number, member in enumerate(archive):
                if number > MAX_MEMBERS or member.size > MAX_MEMBER:
                    raise DatasetError("larger than any development kit", where=path)
                name = next((n for n in (TRUTH, META) if member.name.endswith(n)), None)
                file = archive.extractfile(member) if name and member.isfile() else None
                if name and file:
                    found[name] = file.read()
            assert archive.fileobj is not None
            archive.fileobj.read(MAX_MEMBER)  # to the end, where gzip's own checksum stands
    except (tarfile.ReadError, EOFError, OSError, ValueError, zlib.error) as error:
        raise DatasetError(f"the development kit can't be read: {error}", where=path) from None
    if len(found) < 2:
        raise DatasetError(f"the development kit lacks {TRUTH} or {META}", where=path)
    return found


def _labels(meta: bytes) -> dict[int, int]:
    """The kit's number of a class -> its label."""
    try:
        from scipy.io import loadmat
    except ModuleNotFoundError as error:
        raise missing_library("scipy", "datasets", "ImageNet's development kit") from error
    try:
        synsets = loadmat(io.BytesIO(meta), squeeze_me=True)["synsets"]
        numbers = {str(row["WNID"]): int(row["ILSVRC2012_ID"]) for row in synsets}
    except Exception as error:  # a broken file trips the reader in many ways
        raise DatasetError(f"{META} can't be read: {error}") from error
    return {numbers[known]: label for known, label in label_of().items() if known in numbers}
