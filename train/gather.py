"""Gathering features of all ranks, with a gradient.

Paddle's own all_gather has none, and Fleet's concatenation of parts only splits the gradient.

Shapes: B a rank's pairs, R ranks, E embedding.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.distributed as dist
from paddle import Tensor
from paddle.autograd import PyLayer


class GatherWithGrad(PyLayer):
    """[B, E] of each rank -> [R * B, E], in the order of the ranks.

    A rank's loss depends on every rank's features. The gradient of its own is what all the losses
    give them: the sum over ranks.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _all_gather(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient)  # gloo has no reduce_scatter
        return _own(gradient)


class GatherSameLoss(PyLayer):
    """As GatherWithGrad, without a word between ranks in the backward pass.

    Right only if every rank computes the same loss: then the sum over ranks is the number of ranks
    times what this one has.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _all_gather(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _own(gradient) * dist.get_world_size()


def _all_gather(x: Tensor) -> Tensor:
    parts: list[Tensor] = []
    dist.all_gather(parts, x.contiguous())
    return paddle.concat(parts)


def _own(whole: Tensor) -> Tensor:
    """This rank's rows."""
    return whole.chunk(dist.get_world_size())[dist.get_rank()]
