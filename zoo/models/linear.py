"""Linear layers as quick on CPU as their products.

Paddle adds a bias in a pass of its own, on one core, and sums its gradient over the rows as slowly
as it multiplies: more than a tenth of a training step. Here the product begins with the bias, and
the sum is a product with ones.

Shapes: B batch, L tokens, I inputs, O outputs.
"""

from __future__ import annotations

from typing import Any

import paddle
from paddle import Tensor, nn
from paddle.autograd import PyLayer


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """[B, L, I], [I, O], [O] -> [B, L, O]"""
    inner, outer = weight.shape
    rows = paddle.addmm(bias, x.reshape([-1, inner]), weight)
    return rows.reshape([x.shape[0], x.shape[1], outer])


class Affine(PyLayer):
    """``affine`` with gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return affine(x, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x, weight = ctx.saved_tensor()
        of_x = paddle.matmul(gradient, weight, transpose_y=True)
        rows, inputs = gradient.flatten(0, 1), x.flatten(0, 1)  # [B * L, O], [B * L, I]
        ones = paddle.ones([1, rows.shape[0]], rows.dtype)
        return of_x, paddle.matmul(inputs, rows, transpose_x=True), (ones @ rows).squeeze(0)


class Linear(nn.Linear):
    """Paddle's layer on GPU and in programs, ``Affine`` in eager mode on CPU."""

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, I] -> [B, L, O]"""
        if not paddle.in_dynamic_mode() or not x.place.is_cpu_place():
            return super().forward(x)
        return Affine.apply(x, self.weight, self.bias)
