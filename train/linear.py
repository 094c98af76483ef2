"""Linear layers whose backward pass is as fast on CPU as its products.

Paddle on CPU sums a bias's gradient over rows of a matrix as slowly as it multiplies: a tenth of a
training step. As a product with ones it takes next to nothing.

Shapes: N rows (all pictures' or texts' positions), I inputs, O outputs.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.autograd import PyLayer

from zoo.models.clip import CLIP


class Affine(PyLayer):
    """[..., I], [I, O], [O] -> [..., O]"""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.linear(x, weight).add_(bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensor()
        of_x = paddle.matmul(gradient, weight, transpose_y=True)
        rows = gradient.reshape([-1, gradient.shape[-1]])  # [N, O]
        inputs = x.reshape([-1, x.shape[-1]])  # [N, I]
        ones = paddle.ones([1, rows.shape[0]], rows.dtype)
        return of_x, paddle.matmul(inputs, rows, transpose_x=True), (ones @ rows).squeeze(0)


class QuickLinear(nn.Layer):
    """A linear layer's parameters, with ``Affine`` between them."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[..., I] -> [..., O]"""
        return Affine.apply(x, self.weight, self.bias)


def quicken(model: CLIP) -> CLIP:
    """Puts a QuickLinear in the place of every linear layer, on CPU; the parameters stay."""
    if paddle.device.get_device() == "cpu":
        for layer in model.sublayers():
            for name, child in layer.named_children():
                if type(child) is nn.Linear:
                    setattr(layer, name, QuickLinear(child))
    return model
