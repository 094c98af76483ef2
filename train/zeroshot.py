"""Zero-shot accuracy of the model as it is now, on a folder of pictures by class.

DIR/images/CLASS/*.jpg    the folders' names, sorted, are the classes
DIR/labels.txt            one name for each class, in that order
DIR/templates.txt         prompts with {} for the name
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import paddle
import paddle.distributed as dist

from train.topology import Topology
from zoo.errors import DatasetError, NotFoundError
from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.models.clip import CLIP

SUFFIXES = {".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}


@dataclass(frozen=True, kw_only=True)
class ZeroShotSet:
    """Pictures with their classes' indices, names and templates."""

    pictures: list[tuple[Path, int]]
    names: list[str]
    templates: list[str]


def read_zero_shot_set(folder: Path) -> ZeroShotSet:
    """Reads the names and lists the pictures.

    Raises:
        NotFoundError: a file or folder is missing.
        DatasetError: names and class folders are not equally many, or a class has no picture.
    """
    names, templates = (_lines(folder / name) for name in ("labels.txt", "templates.txt"))
    images = folder / "images"
    if not images.is_dir():
        raise NotFoundError("there is no such folder", where=images)
    classes = sorted(path for path in images.iterdir() if path.is_dir())
    if len(classes) != len(names):
        raise DatasetError(
            f"{len(classes)} class folders and {len(names)} lines in labels.txt", where=folder
        )
    pictures = []
    for index, of_class in enumerate(classes):
        found = sorted(p for p in of_class.iterdir() if p.suffix.lower() in SUFFIXES)
        if not found:
            raise DatasetError("a class without a picture", where=of_class)
        pictures += [(path, index) for path in found]
    return ZeroShotSet(pictures=pictures, names=names, templates=templates)


def _lines(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise NotFoundError("zero-shot evaluation needs this file", where=path) from None
    return [line.strip() for line in lines if line.strip()]


@paddle.no_grad()
def evaluate(
    model: CLIP, pictures: ZeroShotSet, preprocess: Preprocess, *, batch: int, topology: Topology
) -> dict[str, float]:
    """``top1`` and ``top5`` in percent; every rank takes its share and has to call it.

    Raises:
        ZooError: a picture can't be read.
    """
    model.eval()
    classifier = model.build_zero_shot_classifier(pictures.names, pictures.templates)
    mine = pictures.pictures[topology.rank :: topology.world]
    right = np.zeros(2, np.int64)
    for start in range(0, len(mine), batch):
        part = mine[start : start + batch]
        pixels = np.stack([preprocess(open_image(path)) for path, _ in part])
        scores = (model.encode_image(pixels, normalize=True) @ classifier).numpy()
        # A stable sort, so that ties go to the lowest index.
        ranked = np.argsort(-scores, axis=1, kind="stable")[:, :5]
        hits = ranked == np.array([[label] for _, label in part])
        right += [hits[:, 0].sum(), hits.any(axis=1).sum()]
    model.train()
    counts = paddle.to_tensor(right)
    if topology.world > 1:
        dist.all_reduce(counts)
    top1, top5 = (100.0 * counts.numpy() / len(pictures.pictures)).tolist()
    return {"top1": top1, "top5": top5}
