"""Paddle's distributed engine around a model: after ``backward`` every rank holds the mean gradient
over the whole batch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import paddle
import paddle.distributed as dist
from paddle import Tensor
from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients

from train.loss import ContrastiveLoss
from train.topology import Topology
from zoo.models.clip import CLIP


class Engine:
    """A model, its loss, and the ranks that train it together.

    Args:
        model: with weights; those of rank 0 become every rank's.
        loss: takes both features and the scale.
        topology: of a job whose processes have been initialised (``dist.init_parallel_env``).
    """

    def __init__(self, model: CLIP, loss: ContrastiveLoss, topology: Topology) -> None:
        self.model = model
        self._loss = loss
        self._ranks = topology.world
        self._layer = model if self._ranks == 1 else paddle.DataParallel(model)

    def backward(self, pixels: Tensor, tokens: Tensor, *, pieces: int, seed: int) -> Tensor:
        """Adds the gradients of one batch to the parameters'.

        Args:
            pixels: float32 [B, 3, height, width], this rank's part of the batch.
            tokens: int64 [B, L].
            pieces: forward passes that the batch is cut into, for memory's sake.
            seed: of what a forward pass draws (patch dropout).

        Returns:
            This rank's loss, []; the mean over the ranks is the batch's.
        """
        if pieces == 1:
            paddle.seed(seed)
            loss = self._loss(*self._layer(pixels, tokens))
            loss.backward()
        else:
            loss = self._in_pieces(pixels, tokens, pieces, seed)
        return loss.detach()

    def _in_pieces(self, pixels: Tensor, tokens: Tensor, pieces: int, seed: int) -> Tensor:
        """GradCache (https://arxiv.org/abs/2101.06983): the features of the whole batch first, then
        the loss's gradient with respect to them, then piece by piece through the towers. All pairs
        stay each other's negatives.
        """
        batches = list(zip(pixels.chunk(pieces), tokens.chunk(pieces), strict=True))
        with paddle.no_grad():
            passes = [self._forward(*batch, seed + i)[:2] for i, batch in enumerate(batches)]
        cached = [paddle.concat(parts) for parts in zip(*passes, strict=True)]
        for features in cached:
            features.stop_gradient = False
        with self._unsynchronised():
            loss = self._loss(*cached, self.model.logit_scale.exp())
            loss.backward()
            gradients = zip(*(features.grad.chunk(pieces) for features in cached), strict=True)
            for i, (batch, gradient) in enumerate(zip(batches, gradients, strict=True)):
                features = self._forward(*batch, seed + i)[:2]
                pairs = [
                    pair
                    for pair in zip(features, gradient, strict=True)
                    if not pair[0].stop_gradient  # a locked tower's
                ]
                paddle.autograd.backward(*map(list, zip(*pairs, strict=True)))
        if self._ranks > 1:
            fused_allreduce_gradients(list(self.model.parameters()), None)
        return loss

    def _forward(self, pixels: Tensor, tokens: Tensor, seed: int) -> tuple[Tensor, ...]:
        paddle.seed(seed)
        return self._layer(pixels, tokens)

    def _unsynchronised(self) -> AbstractContextManager[None]:
        """Backward passes whose gradients stay on this rank."""
        return paddle.DataParallel.no_sync(self._layer) if self._ranks > 1 else nullcontext()

    def total(self, *values: float) -> list[float]:
        """Sums over the ranks."""
        if self._ranks == 1:
            return list(values)
        sums = paddle.to_tensor(values, dtype="float64")
        dist.all_reduce(sums)
        return sums.tolist()
