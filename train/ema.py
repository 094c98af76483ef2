"""A moving average of the weights, which often generalises better than the last ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import paddle
from numpy.typing import NDArray
from paddle import Tensor

from zoo.models.clip import CLIP


class MovingAverage:
    """``average = decay * average + (1 - decay) * weights`` after every step.

    Args:
        model: its present weights are the first average.
        decay: at least 0 and below 1.
    """

    def __init__(self, model: CLIP, decay: float) -> None:
        self._decay = decay
        self.weights: dict[str, Tensor] = {
            name: parameter.detach().clone() for name, parameter in model.named_parameters()
        }

    @paddle.no_grad()
    def update(self, model: CLIP) -> None:
        for name, parameter in model.named_parameters():
            average = self.weights[name]
            average.scale_(self._decay).add_(parameter * (1 - self._decay))

    def restore(self, weights: Mapping[str, NDArray[Any]]) -> None:
        for name, average in self.weights.items():
            average.set_value(weights[name])
