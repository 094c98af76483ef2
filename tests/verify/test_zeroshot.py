"""Figures from predictions: ranks, ties, rates, intervals, flips, digests."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.verify.tolerance import margin_band
from zoo.verify.zeroshot import (
    Row,
    best_classes,
    compare,
    data_digest,
    predictions_digest,
    summarize,
    wilson,
)


def row(place: int, label: int, top: tuple[int, ...], margin: float = 1.0, **more: object) -> Row:
    about = {"image": f"{place}.jpg", "sha256": f"{place:02x}", **more}
    return Row(place=place, label=label, top=top, margin=margin, **about)  # type: ignore[arg-type]


def test_ties_go_to_the_lowest_index() -> None:
    scores = np.array([[1, 3, 2, 3, 3, 0, 0], [0, 0, 0, 0, 0, 0, 0]], np.float32)
    order, lead = best_classes(scores)
    assert order.tolist() == [[1, 3, 4, 2, 0], [0, 1, 2, 3, 4]]
    assert lead.tolist() == [0, 0]


def test_the_lead_and_fewer_classes_than_five() -> None:
    order, lead = best_classes(np.array([[1, 3.5], [2, 1.75]], np.float32))
    assert order.tolist() == [[1, 0], [0, 1]] and lead.tolist() == [2.5, 0.25]
    order, lead = best_classes(np.array([[1]], np.float32))
    assert order.tolist() == [[0]] and lead[0] == np.inf


def test_figures() -> None:
    rows = [
        row(0, 0, (0, 1, 2, 3, 4)),
        row(1, 0, (1, 0, 2, 3, 4)),
        row(2, 0, (5, 6, 7, 8, 9), margin=0.0),
        row(3, 1, (1, 0, 2, 3, 4), sha256="00"),
        Row(place=4, image="4.jpg", sha256=None, label=1, problem="TRUNCATED: cut off"),
    ]
    summary = summarize(rows)
    assert summary.top1 == 50 and summary.top5 == 75
    assert summary.mean_per_class == pytest.approx(100 * (1 / 3 + 1) / 2)
    assert [r.image for r in summary.tied] == ["2.jpg"] and summary.duplicates == 1
    assert summary.seen == 4 and [r.image for r in summary.unreadable] == ["4.jpg"]


def test_wilsons_interval() -> None:
    """Its ends are the rates p with |hits / n - p| = z sqrt(p (1 - p) / n); numpy finds them."""
    hits, n, z = 37, 50, 2.5758293035489
    a, b, c = 1 + z * z / n, -(2 * hits / n + z * z / n), (hits / n) ** 2
    assert wilson(hits, n) == pytest.approx([100 * p for p in sorted(np.roots([a, b, c]))])
    assert wilson(0, 0) == (0, 100) and wilson(10, 10)[1] == 100 and wilson(0, 10)[0] == 0


def test_a_flip_counts_where_rounding_does_not_explain_it() -> None:
    rows = [row(0, 0, (0, 1)), row(1, 0, (0, 1)), row(2, 1, (1, 0))]
    scores = np.array([[20, 20.0001], [20, 20.1], [1, 5]], np.float32)
    found = compare(rows, scores, band=0.001)
    assert found.flips == ("0.jpg", "1.jpg") and found.counted == ("1.jpg",)
    assert found.top1 == pytest.approx(100 / 3) and found.pictures == 3
    assert compare(rows, scores, band=0).counted == found.flips


def test_the_band_holds_the_worst_that_rounding_can_do() -> None:
    """Unit vectors, each moved by its error in the worst direction."""
    image, text = 3e-3, 5e-3
    f, w1, w2 = np.array([1.0, 0]), np.array([1.0, 0]), np.array([-1.0, 0])
    ours, theirs = image + text, (image + text) / 2
    lead = 100 * f @ (w1 - w2)
    worst = sum(100 * 2 * error for error in (ours, theirs))
    assert margin_band(image, text) == pytest.approx(worst) and worst < lead
    assert margin_band(0, 0) == 0


def test_digests_are_of_content() -> None:
    rows = [row(0, 0, (0, 1)), row(1, 1, (1, 0))]
    moved = [row(5, 1, (1, 0), image="x", sha256="01"), row(6, 0, (0, 1), image="y", sha256="00")]
    assert data_digest(rows) == data_digest(moved)
    assert predictions_digest(rows) == predictions_digest(moved)
    for other in (
        [rows[0], row(1, 0, (1, 0))],
        [rows[0], row(1, 1, (1, 0), sha256="ff")],
    ):
        assert data_digest(other) != data_digest(rows)
    other = [rows[0], row(1, 1, (0, 1))]
    assert data_digest(other) == data_digest(rows)
    assert predictions_digest(other) != predictions_digest(rows)
