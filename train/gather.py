"""Gathering features of all replicas, with a gradient.

Paddle's own all_gather has none, and Fleet's concatenation of parts only splits the gradient.

Shapes: B a rank's pairs, R ranks of the group, E embedding.
"""

from __future__ import annotations

from typing import Any

import paddle
import paddle.distributed as dist
from paddle import Tensor
from paddle.autograd import PyLayer
from paddle.distributed.communication.group import Group


class GatherWithGrad(PyLayer):
    """[B, E] of each rank -> [R * B, E], in the order of the ranks.

    A rank's loss depends on every rank's features. The gradient of its own is what all the losses
    give them: the sum over ranks.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return all_gather(x, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        gradient = gradient.clone()
        dist.all_reduce(gradient, group=ctx.group)  # gloo has no reduce_scatter
        return _own(gradient, ctx.group)


class GatherSameLoss(PyLayer):
    """As GatherWithGrad, without a word between ranks in the backward pass.

    Right only if every rank computes the same loss: then the sum over ranks is the number of ranks
    times what this one has.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return all_gather(x, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _own(gradient, ctx.group) * ctx.group.nranks


def all_gather(x: Tensor, group: Group, axis: int = 0) -> Tensor:
    """Every rank's ``x``, joined along ``axis`` in the order of the ranks; without a gradient."""
    parts: list[Tensor] = []
    dist.all_gather(parts, x.contiguous(), group=group)
    return paddle.concat(parts, axis=axis)


def _own(whole: Tensor, group: Group) -> Tensor:
    """This rank's rows."""
    return whole.chunk(group.nranks)[group.rank]
