"""Zero-shot accuracy of the model as it is now, by the protocol and the data sets of rung 6."""

from __future__ import annotations

import numpy as np
import paddle
import paddle.distributed as dist

from train.report import tell
from train.topology import Topology
from zoo.cli.output import printable
from zoo.errors import DatasetError
from zoo.imagesets.ahead import prepared
from zoo.imagesets.imageset import ImageSet
from zoo.models.clip import CLIP
from zoo.verify.zeroshot import SCALE, best_classes


@paddle.no_grad()
def evaluate(
    model: CLIP, images: ImageSet, *, batch: int, workers: int, topology: Topology
) -> dict[str, float]:
    """``top1`` and ``top5`` in percent; every rank takes its share and has to call it.

    Args:
        model: its classifier is made of its own text tower, now.
        images: pictures, class names and templates.
        batch: pictures at a time.
        workers: processes that read them.
        topology: of the job.

    Raises:
        DatasetError: pictures can't be read.
    """
    assert model.spec.preprocess
    model.eval()
    classifier = model.build_zero_shot_classifier(images.classes, images.templates).numpy()
    # A name that occurs twice is scored once, so that its classes are equal and not nearly so.
    columns, of_class = np.unique(classifier, axis=1, return_inverse=True)
    mine = images.pictures[topology.replica :: topology.replicas]
    batches = [mine[start : start + batch] for start in range(0, len(mine), batch)]
    counts = np.zeros(3, np.int64)  # first right, among the best five, unreadable
    ready = prepared(batches, model.spec.preprocess, workers=workers)
    for pictures, inputs in zip(batches, ready, strict=True):
        readable = []
        for picture, problem in zip(pictures, inputs.problems, strict=True):
            if problem is None:
                readable.append(picture)
            else:
                tell(printable(f"can't be read: {picture.name}: {problem}"))
        counts[2] += len(pictures) - len(readable)
        if readable:
            features = model.encode_image(inputs.pixels, normalize=True).numpy()
            order, _ = best_classes(SCALE * (features @ columns)[:, of_class.reshape(-1)])
            hits = order == np.array([[picture.label] for picture in readable])
            counts[:2] += [hits[:, 0].sum(), hits.any(axis=1).sum()]
    model.train()
    total = paddle.to_tensor(counts)
    if topology.world > 1:
        dist.all_reduce(total)
        total //= topology.tensor  # the ranks of a replica have counted the same pictures
    first, five, unreadable = total.tolist()
    if unreadable:
        raise DatasetError(
            f"{unreadable} pictures can't be read",
            where=images.name,
            remedy="The log of each rank names its own. Mend or remove them, and go on with "
            "--resume_from_checkpoint True.",
        )
    of = len(images.pictures)
    return {"top1": 100.0 * first / of, "top5": 100.0 * five / of}
