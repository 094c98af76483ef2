"""Rung 4's verdict: no reference, however broken, lets a wrong computation pass."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.verify.rungs.parity import check_parity
from zoo.verify.tolerance import LONGEST

LAYERS = (
    *("visual.embed", "visual.block.0", "visual.features"),
    *("text.embed", "text.block.0", "text.features", "logits"),
)


class Arrays(dict[str, "np.ndarray"]):  # type: ignore[type-arg]
    """Named arrays in memory."""


def computed(*, off: float = 0.0, float32_off: float = 0.0) -> tuple[Arrays, Arrays]:
    """A subject that is ``off``, relative, and a reference whose own float32 is ``float32_off``."""
    rng = np.random.default_rng(0)
    subject, reference = Arrays(), Arrays()
    for name in ("pixels", "tokens"):
        reference[f"input.{name}"] = np.zeros(2)
    for layer in LAYERS:
        exact = rng.normal(size=(2, 64))
        subject[layer] = (exact * (1 + off)).astype(np.float32)
        reference[f"f64/{layer}"] = exact
        reference[f"f32/{layer}"] = (exact * (1 + float32_off)).astype(np.float32)
    return subject, reference


def test_what_computes_the_same_passes() -> None:
    outcome = check_parity(*computed())
    assert outcome.status == "pass" and outcome.figures["layers"] == len(LAYERS)


def test_a_reference_that_does_not_compute_in_float32_lets_nothing_pass() -> None:
    """Twice the error of a reference that ran in bfloat16 would be a band for anything."""
    half = 0.7 * LONGEST
    assert check_parity(*computed(off=half, float32_off=half)).status == "pass"
    for broken in (2.0**-11, 0.5, np.nan):
        for off in (0.0, broken):
            outcome = check_parity(*computed(off=off, float32_off=broken))
            assert outcome.status == "fail", (broken, off)
            assert "visual.embed can't be judged: the reference's own" in str(outcome.reason)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("precision", ["f32", "f64"])
def test_a_layer_that_the_reference_did_not_compute_does_not_pass(
    layer: str, precision: str
) -> None:
    subject, reference = computed()
    del reference[f"{precision}/{layer}"]
    outcome = check_parity(subject, reference)
    assert outcome.status == "fail" and str(outcome.reason).startswith(layer)


def test_nothing_computed_is_nothing_proved() -> None:
    assert check_parity(Arrays(), Arrays()).status == "fail"
    subject, reference = computed()
    for arrays in (subject, reference):
        for name in arrays:
            arrays[name] = arrays[name][:0]
    outcome = check_parity(subject, reference)
    assert outcome.status == "fail" and outcome.figures["outside"] == len(LAYERS)
