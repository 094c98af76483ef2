"""Rung 4: both towers compute what the reference computes, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from zoo.verify.compare import Arrays, LayerError, compare_layers, first_outside
from zoo.verify.outcome import Outcome, failed, passed
from zoo.verify.probe import on_probe
from zoo.verify.tolerance import LONGEST

HEADLINES = ("visual.features", "text.features", "logits")


def check_parity(subject: Arrays, reference: Arrays) -> Outcome:
    """Judges the subject's layers against the reference's, both held against float64."""
    layers = compare_layers(subject, reference)
    if not layers:
        return failed("there is no layer to compare")
    on = on_probe(images=_count(reference, "pixels"), texts=_count(reference, "tokens"))
    figures, bounds = _figures(layers), _bounds(layers)
    outside = first_outside(layers)
    if outside is None:
        return passed(figures, bounds=bounds, measured_on=on, layers=tuple(layers))
    reason = _told(outside)
    return failed(reason, figures, bounds=bounds, measured_on=on, layers=tuple(layers))


def _told(outside: LayerError) -> str:
    """Why a layer does not pass."""
    if not outside.judged:
        return (
            f"{outside.layer} can't be judged: the reference's own float32 is off by "
            f"{outside.reference:.2e}, and float32 is off by {LONGEST:.2e} at most"
        )
    return (
        f"{outside.layer} is the first layer outside the band: relative error {outside.ours:.2e}, "
        f"{outside.factor:.3g} times the bound {outside.bound:.2e}"
    )


def _count(reference: Arrays, kind: str) -> int:
    """How many inputs there are of a kind; a tower that is missing takes none."""
    name = f"input.{kind}"
    return len(reference.get(name)) if name in reference.keys() else 0  # noqa: SIM118


def _figures(layers: Sequence[LayerError]) -> dict[str, object]:
    worst = max(layers, key=lambda layer: layer.factor if layer.factor == layer.factor else 1e300)
    return {
        "layers": len(layers),
        "outside": sum(not layer.inside for layer in layers),
        "worst layer": worst.layer,
        "worst error / bound": worst.factor,
        **{layer.layer: layer.ours for layer in layers if layer.layer in HEADLINES},
        "per layer": {layer.layer: [layer.ours, layer.reference] for layer in layers},
    }


def _bounds(layers: Sequence[LayerError]) -> dict[str, object]:
    return {
        "outside": 0,
        "worst error / bound": 1.0,
        **{layer.layer: layer.bound for layer in layers if layer.layer in HEADLINES},
    }
