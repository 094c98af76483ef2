"""Errors against float64, and the layer that is named."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zoo.verify.compare import (
    LayerError,
    compare_layers,
    first_outside,
    largest_difference,
    layer_names,
    relative_rms,
)
from zoo.verify.tolerance import EPS, FACTOR, FLOOR, parity_bound


class Arrays(dict[str, np.ndarray]):
    """A dict is all it takes."""

    def get(self, name: str) -> np.ndarray:  # type: ignore[override]
        return self[name]


def test_relative_rms_is_the_textbook_formula() -> None:
    rng = np.random.default_rng(0)
    exact = rng.normal(size=(3, 5, 7))
    values = (exact + 1e-3 * rng.normal(size=exact.shape)).astype(np.float32)
    expected = np.linalg.norm(values - exact) / np.linalg.norm(exact)
    assert relative_rms(values, exact) == pytest.approx(expected, rel=1e-12)


def test_pieces_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = np.arange(1.0, 1001.0)
    whole = relative_rms(exact * 1.01, exact), largest_difference(exact * 1.01, exact)
    monkeypatch.setattr("zoo.verify.compare.ROWS", 7)
    pieces = relative_rms(exact * 1.01, exact), largest_difference(exact * 1.01, exact)
    assert pieces == pytest.approx(whole, rel=1e-12)
    assert whole[1] == pytest.approx(10.0)


@pytest.mark.parametrize("values", [np.ones((2, 3)), np.ones(5)])
def test_another_shape_is_infinitely_wrong(values: np.ndarray) -> None:
    exact = np.ones((3, 2))
    assert relative_rms(values, exact) == math.inf == largest_difference(values, exact)


def test_zeros() -> None:
    assert relative_rms(np.zeros(3), np.zeros(3)) == 0
    assert relative_rms(np.ones(3), np.zeros(3)) == math.inf


def test_the_bound_is_twice_the_references_error_and_never_below_the_floor() -> None:
    assert np.float32(1) + np.float32(EPS) > np.float32(1)
    assert parity_bound(0.0) == FLOOR == 4 * EPS
    assert parity_bound(1e-3) == FACTOR * 1e-3


@pytest.mark.parametrize(("ours", "inside"), [(1.9e-6, True), (2.1e-6, False), (math.nan, False)])
def test_inside(ours: float, inside: bool) -> None:
    assert LayerError(layer="x", ours=ours, reference=1e-6, largest=0.0).inside is inside


def reference_and_subject(wrong: str | None = None) -> tuple[Arrays, Arrays]:
    rng = np.random.default_rng(1)
    layers = [f"visual.{x}" for x in ("embed", *(f"block.{i}" for i in range(11)), "features")]
    layers += ["text.embed", "text.block.0", "text.features", "logits"]
    reference, subject = Arrays(), Arrays()
    for layer in layers:
        exact = rng.normal(size=(2, 4))
        reference[f"f64/{layer}"] = exact
        reference[f"f32/{layer}"] = exact.astype(np.float32)
        subject[layer] = exact.astype(np.float32) * (1.001 if layer == wrong else 1)
    return reference, subject


def test_layers_stand_in_the_datas_order() -> None:
    reference, _ = reference_and_subject()
    names = layer_names(reference)
    assert names[:4] == ["visual.embed", "visual.block.0", "visual.block.1", "visual.block.2"]
    assert names[11:] == [
        *("visual.block.10", "visual.features", "text.embed"),
        *("text.block.0", "text.features", "logits"),
    ]


def test_equal_layers_are_inside() -> None:
    reference, subject = reference_and_subject()
    assert first_outside(compare_layers(subject, reference)) is None


def test_the_first_layer_outside_is_named() -> None:
    reference, subject = reference_and_subject(wrong="visual.block.10")
    outside = first_outside(compare_layers(subject, reference))
    assert outside is not None and outside.layer == "visual.block.10"
    assert outside.ours == pytest.approx(1e-3, rel=1e-3)
    assert outside.factor > 1000


def test_a_layer_that_is_missing_is_outside() -> None:
    reference, subject = reference_and_subject()
    del subject["text.features"]
    outside = first_outside(compare_layers(subject, reference))
    assert outside is not None and outside.layer == "text.features" and outside.ours == math.inf
