"""Paddle's distributed engine around a model: after ``backward`` every rank holds the mean gradient
over the whole batch.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import paddle
import paddle.distributed as dist
from paddle import Tensor
from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients_with_group

from train.loss import ContrastiveLoss
from train.processes import replica_groups
from train.topology import Topology
from zoo.models.clip import CLIP


class Engine:
    """A model, its loss, and the ranks that train it together.

    Args:
        model: with weights, or this rank's parts of them; those of the first replica become every
            replica's.
        loss: takes both features and the scale.
        topology: of a job that ``train.processes`` has started.
    """

    def __init__(self, model: CLIP, loss: ContrastiveLoss, topology: Topology) -> None:
        self.model = model
        self._loss = loss
        self._topology = topology
        self._replicas = replica_groups(topology)
        # DataParallel averages gradients while others are being computed; it knows no groups.
        self._is_data_parallel = topology.world == topology.data > 1
        self._layer = paddle.DataParallel(model) if self._is_data_parallel else model
        if not self._is_data_parallel:
            self._begin_alike()

    @paddle.no_grad()
    def _begin_alike(self) -> None:
        for group in self._replicas:
            for parameter in self.model.parameters():
                dist.broadcast(parameter, src=group.ranks[0], group=group)

    def backward(self, pixels: Tensor, tokens: Tensor, *, pieces: int, seed: int) -> Tensor:
        """Adds the gradients of one batch to the parameters'.

        Args:
            pixels: float32 [B, 3, height, width], this rank's part of the batch.
            tokens: int64 [B, L].
            pieces: forward passes that the batch is cut into, for memory's sake.
            seed: of what a forward pass draws (patch dropout).

        Returns:
            This replica's loss, []; the mean over the replicas is the batch's.
        """
        if pieces == 1:
            paddle.seed(seed)
            loss = self._loss(*self._layer(pixels, tokens))
            loss.backward()
            if not self._is_data_parallel:
                self._average()
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
        self._average()
        return loss

    def _average(self) -> None:
        for group in self._replicas:
            fused_allreduce_gradients_with_group(list(self.model.parameters()), group)

    def _forward(self, pixels: Tensor, tokens: Tensor, seed: int) -> tuple[Tensor, ...]:
        paddle.seed(seed)
        return self._layer(pixels, tokens)

    def _unsynchronised(self) -> AbstractContextManager[None]:
        """Backward passes whose gradients stay on this rank."""
        return self._layer.no_sync() if self._is_data_parallel else nullcontext()

    def total(self, *values: float) -> list[float]:
        """Sums over the replicas, the same on every rank."""
        if self._topology.world == 1:
            return list(values)
        sums = paddle.to_tensor(values, dtype="float64")
        dist.all_reduce(sums)
        return (sums / self._topology.tensor).tolist()
