"""Arrays against arrays: errors relative to float64, and the first layer that leaves the band."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.verify.tolerance import is_yardstick, parity_bound

Array = NDArray[Any]
ROWS = 1 << 20  # elements handled at a time: the largest model's taps are gigabytes


class Arrays(Protocol):
    """Named arrays, mapped: a folder of .npy files, or a goldens file."""

    def keys(self) -> Iterable[str]: ...

    def get(self, name: str) -> Array: ...


@dataclass(frozen=True, kw_only=True)
class LayerError:
    """One layer's relative RMS errors against the float64 reference."""

    layer: str
    ours: float
    reference: float  # the reference's own float32
    largest: float  # our largest absolute difference

    @property
    def bound(self) -> float:
        return parity_bound(self.reference)

    @property
    def inside(self) -> bool:
        return self.judged and self.ours <= self.bound  # a NaN is not

    @property
    def judged(self) -> bool:
        """Whether the reference is good enough to judge by."""
        return is_yardstick(self.reference)

    @property
    def factor(self) -> float:
        """How many times the bound our error is."""
        return self.ours / self.bound


def relative_rms(values: Array, exact: Array) -> float:
    """sqrt(sum (values - exact)^2 / sum exact^2) over all elements, in float64.

    Infinite where the shapes differ, and of nothing at all; NaN where a value is.
    """
    if values.shape != exact.shape or not values.size:
        return math.inf
    flat, truth = values.reshape(-1), exact.reshape(-1)
    wrong = power = 0.0
    for start in range(0, flat.size, ROWS):
        y = truth[start : start + ROWS].astype(np.float64)
        difference = flat[start : start + ROWS].astype(np.float64) - y
        wrong += float(difference @ difference)
        power += float(y @ y)
    if power == 0:
        return 0.0 if wrong == 0 else math.inf
    return math.sqrt(wrong / power)


def largest_difference(values: Array, exact: Array) -> float:
    """The largest absolute difference; infinite where the shapes differ."""
    if values.shape != exact.shape:
        return math.inf
    if values.size == 0:
        return 0.0
    flat, truth = values.reshape(-1), exact.reshape(-1)
    return max(
        float(np.max(np.abs(flat[s : s + ROWS].astype(np.float64) - truth[s : s + ROWS])))
        for s in range(0, flat.size, ROWS)
    )


def layer_names(reference: Arrays) -> list[str]:
    """The layers a reference holds in float64, in the order the data passes them."""
    keys = list(reference.keys())
    layers = [key.removeprefix("f64/") for key in keys if key.startswith("f64/")]
    return sorted(layers, key=_position)


def _position(layer: str) -> tuple[int, int, int]:
    tower, _, rest = layer.partition(".")
    stage, _, number = rest.partition(".")
    return (
        ("visual", "text", "logits").index(tower),
        ("embed", "block", "features", "").index(stage),
        int(number or 0),
    )


def compare_layers(subject: Arrays, reference: Arrays) -> list[LayerError]:
    """Our float32 and the reference's float32, each against the reference's float64.

    A layer that one of both does not have counts as infinitely wrong.
    """
    ours, theirs = set(subject.keys()), set(reference.keys())
    errors = []
    for layer in sorted({*layer_names(reference), *ours}, key=_position):
        there = {f"f32/{layer}", f"f64/{layer}"} <= theirs
        if not there or layer not in ours:
            nothing = math.inf
            errors.append(LayerError(layer=layer, ours=nothing, reference=0.0, largest=nothing))
            continue
        exact, values = reference.get(f"f64/{layer}"), subject.get(layer)
        errors.append(
            LayerError(
                layer=layer,
                ours=relative_rms(values, exact),
                reference=relative_rms(reference.get(f"f32/{layer}"), exact),
                largest=largest_difference(values, exact),
            )
        )
    return errors


def first_outside(layers: Sequence[LayerError]) -> LayerError | None:
    """The first layer that leaves the band: where to look for the mistake."""
    return next((layer for layer in layers if not layer.inside), None)
