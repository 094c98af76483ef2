"""Paddle's distributed engine around a model: after ``backward`` every rank holds the mean gradient
over the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import paddle
import paddle.distributed as dist
from paddle import Tensor
from paddle.distributed.fleet.utils.hybrid_parallel_util import fused_allreduce_gradients_with_group

from train.loss import ContrastiveLoss
from train.precision import FULL, Precision, Towers
from train.processes import replica_groups
from train.stage2 import GradientShards
from train.topology import Topology
from zoo.models.clip import CLIP


class Engine:
    """A model, its loss, and the ranks that train it together.

    Args:
        model: with weights, or this rank's parts of them; those of the first replica become every
            replica's.
        loss: takes both features and the scale.
        topology: of a job that ``train.processes`` has started.
        precision: what the towers compute in.
        shards: where each rank keeps the gradients of its own parameters only.
    """

    def __init__(
        self,
        model: CLIP,
        loss: ContrastiveLoss,
        topology: Topology,
        precision: Precision = FULL,
        shards: GradientShards | None = None,
    ) -> None:
        self.model = model
        self._shards = shards
        self._loss = loss
        self._topology = topology
        self._replicas = replica_groups(topology)
        # DataParallel averages gradients while others are being computed; it knows no groups.
        self._is_data_parallel = topology.world == topology.data > 1
        towers = Towers(self.model, precision)
        self._layer = paddle.DataParallel(towers) if self._is_data_parallel else towers
        if not self._is_data_parallel:
            self._begin_alike()

    @paddle.no_grad()
    def _begin_alike(self) -> None:
        for group in self._replicas:
            for parameter in self.model.parameters():
                dist.broadcast(parameter, src=group.ranks[0], group=group)

    def backward(
        self, pixels: Tensor, tokens: Tensor, *, pieces: int, seed: int, scale: float = 1.0
    ) -> Tensor:
        """Adds the gradients of one batch to the parameters'.

        Args:
            pixels: float32 [B, 3, height, width], this replica's part of the batch.
            tokens: int64 [B, L].
            pieces: forward passes that the batch is cut into, for memory's sake.
            seed: of what a forward pass draws (patch dropout).
            scale: factor to the gradients, for float16's sake.

        Returns:
            This replica's loss, []; the mean over the replicas is the batch's.
        """
        if pieces == 1:
            loss = self._loss(*self._forward(pixels, tokens, seed))
            (loss * scale).backward()
            self._finish_pass()
            if not self._is_data_parallel:
                self._average()
        else:
            loss = self._in_pieces(pixels, tokens, pieces, seed, scale)
        return loss.detach()

    def _in_pieces(
        self, pixels: Tensor, tokens: Tensor, pieces: int, seed: int, scale: float
    ) -> Tensor:
        """GradCache (https://arxiv.org/abs/2101.06983): the features of the whole batch first, then
        the loss's gradient with respect to them, then piece by piece through the towers. All pairs
        stay each other's negatives. The last piece's first pass is also its second.
        """
        batches = list(zip(pixels.chunk(pieces), tokens.chunk(pieces), strict=True))
        passes: list[Sequence[Tensor]] = []
        with self._unsynchronised():
            with paddle.no_grad():
                for i, batch in enumerate(batches[:-1]):
                    passes.append(self._forward(*batch, seed + i)[:2])
            features = self._forward(*batches[-1], seed + pieces - 1)[:2]
            passes.append([x.detach() for x in features])
            images, texts = cached = [paddle.concat(parts) for parts in zip(*passes, strict=True)]
            for x in cached:
                x.stop_gradient = False
            loss = self._loss(images, texts, self.model.logit_scale.exp())
            (loss * scale).backward()
            self._finish_pass()
            gradients = list(zip(*(x.grad.chunk(pieces) for x in cached), strict=True))
            self._through(features, gradients[-1])
            for i, batch in enumerate(batches[:-1]):
                self._through(self._forward(*batch, seed + i)[:2], gradients[i])
        self._average()
        return loss

    def _forward(self, pixels: Tensor, tokens: Tensor, seed: int) -> tuple[Tensor, ...]:
        """Both features and the logits' factor."""
        paddle.seed(seed)
        return self._layer(pixels, tokens)

    def _through(self, features: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Backward through the towers; a locked one's features take no gradient."""
        pairs = [
            pair for pair in zip(features, gradients, strict=True) if not pair[0].stop_gradient
        ]
        paddle.autograd.backward(*map(list, zip(*pairs, strict=True)))
        self._finish_pass()

    def _finish_pass(self) -> None:
        if self._shards is not None:
            self._shards.finish_pass()

    def _average(self) -> None:
        parameters, groups = self.model.parameters(), self._replicas
        if self._shards is not None:
            parameters = self._shards.average()
            groups = [group for group in groups if group is not self._shards.group]
        for group in groups:
            fused_allreduce_gradients_with_group(list(parameters), group)

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
