"""Zero-shot classification, from scores to a verdict.

Ties go to the lowest index: ImageNet's list has two names twice, and what a sort makes of them
decides up to 0.2 points.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.imagesets.imageset import Picture
from zoo.verify.journal import Kept

SCALE = 100.0  # the protocol's constant; the logit scale plays no part in it
TOP = 5
CONFIDENCE = 2.5758293035489  # standard deviations that hold 99 % of a normal distribution


class Row(Kept, frozen=True, kw_only=True):
    """What was predicted of one picture.

    ``top`` are the five best classes, ``margin`` by how much the first leads, in scores
    (100 * cosine).
    """

    FILE = "predictions.jsonl"
    label: int
    top: tuple[int, ...] = ()
    margin: float | None = None

    def is_of(self, picture: Picture) -> bool:
        answered = bool(self.top) and self.margin is not None
        same = super().is_of(picture) and self.label == picture.label
        return same and answered is (self.problem is None)


def best_classes(scores: NDArray[np.float32]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The best classes of each picture, and the lead of the first.

    Args:
        scores: [n, classes].

    Returns:
        int64 [n, up to 5], best first and equals by index; float32 [n], infinite for one class.
    """
    order = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
    best = np.take_along_axis(scores, order[:, :2], axis=1)
    lead = best[:, 0] - best[:, 1] if scores.shape[1] > 1 else np.full(len(scores), np.inf)
    return order.astype(np.int64), lead.astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """Figures over the readable pictures: percent, but for the counts.

    ``interval`` is Wilson's 99 % confidence interval of top-1 (JASA 22, 1927), for pictures that
    are a sample of those that a claim is about.
    """

    seen: int
    unreadable: tuple[Row, ...]
    top1: float
    top5: float
    mean_per_class: float
    tied: tuple[Row, ...]
    duplicates: int
    interval: tuple[float, float]


def summarize(rows: Sequence[Row]) -> Summary:
    """Adds up what became of every picture."""
    seen = [row for row in rows if row.problem is None]
    right: defaultdict[int, list[bool]] = defaultdict(list)
    for row in seen:
        right[row.label].append(row.top[0] == row.label)
    hits = sum(map(sum, right.values()))
    per_class = [sum(of_class) / len(of_class) for of_class in right.values()]
    copies = Counter(row.sha256 for row in seen)
    return Summary(
        seen=len(seen),
        unreadable=tuple(row for row in rows if row.problem is not None),
        top1=_percent(hits, len(seen)),
        top5=_percent(sum(row.label in row.top for row in seen), len(seen)),
        mean_per_class=_percent(math.fsum(per_class), len(per_class)),
        tied=tuple(row for row in seen if row.margin == 0),
        duplicates=len(seen) - len(copies),
        interval=wilson(hits, len(seen)),
    )


def wilson(hits: int, count: int) -> tuple[float, float]:
    """The 99 % confidence interval of a rate, in percent."""
    if not count:
        return 0.0, 100.0
    rate, z = hits / count, CONFIDENCE
    middle = rate + z * z / (2 * count)
    half = z * math.sqrt(rate * (1 - rate) / count + z * z / (4 * count * count))
    scale = 100 / (1 + z * z / count)
    return max(0.0, scale * (middle - half)), min(100.0, scale * (middle + half))


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Ours beside the reference's, picture by picture.

    ``flips`` are the pictures on which they differ; ``counted`` those of them on which the
    reference's lead is larger than rounding explains.
    """

    top1: float  # the reference's
    pictures: int
    flips: tuple[str, ...]
    counted: tuple[str, ...]
    band: float


def compare(rows: Sequence[Row], scores: NDArray[np.float32], band: float) -> Agreement:
    """Holds our predictions against the reference's scores.

    Args:
        rows: ours, without the unreadable.
        scores: the reference's, [len(rows), classes].
        band: the lead, in scores, that two float32 computations may disagree about.
    """
    order, lead = best_classes(scores)
    theirs = order[:, 0].tolist()
    flips = [i for i, row in enumerate(rows) if row.top[0] != theirs[i]]
    right = sum(row.label == other for row, other in zip(rows, theirs, strict=True))
    return Agreement(
        top1=_percent(right, len(rows)),
        pictures=len(rows),
        flips=tuple(rows[i].image for i in flips),
        counted=tuple(rows[i].image for i in flips if lead[i] > band),
        band=band,
    )


def data_digest(rows: Sequence[Row]) -> str:
    """sha256 over every picture's bytes and label, whatever their names, order and layout."""
    return _digest(f"{row.sha256} {row.label}" for row in rows)


def predictions_digest(rows: Sequence[Row]) -> str:
    """sha256 over what was predicted of which picture."""
    return _digest(f"{row.sha256} {row.label} {row.problem or row.top}" for row in rows)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _percent(part: float, of: int) -> float:
    return 100.0 * part / of if of else 0.0
