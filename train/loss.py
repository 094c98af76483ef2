"""CLIP's contrastive loss (https://arxiv.org/abs/2103.00020, figure 3) over all replicas' pairs.

Gradients are right once they are averaged over the replicas: they are those of one process with the
whole batch.

Shapes: B a replica's pairs, R replicas, E embedding.
"""

from __future__ import annotations

from dataclasses import dataclass

import paddle
import paddle.nn.functional as F
from paddle import Tensor

from train.gather import GatherSameLoss, GatherWithGrad
from train.processes import replica_groups
from train.topology import Topology
from zoo.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ContrastiveLoss:
    """The mean of two cross entropies: which text belongs to a picture, and the reverse.

    Attributes:
        local_loss: a replica computes the logits of its own pairs, [B, R * B], and the mean over
            replicas is the loss; otherwise each computes all, [R * B, R * B].
        gather_with_grad: gradients go back to the replicas that the features came from.
    """

    topology: Topology
    local_loss: bool
    gather_with_grad: bool

    def __post_init__(self) -> None:
        if self.topology.replicas > 1 and self.local_loss and not self.gather_with_grad:
            raise UsageError(
                "--local_loss without --gather_with_grad trains another objective: a rank's "
                "features would get no gradient from the other ranks' losses",
                remedy="Add --gather_with_grad True, or leave out --local_loss.",
            )

    def __call__(self, images: Tensor, texts: Tensor, scale: Tensor) -> Tensor:
        """Unit features [B, E] twice, and the logits' factor [1] -> the loss, []"""
        all_images, all_texts = self._gather(images), self._gather(texts)
        if self.local_loss:
            per_image = scale * images @ all_texts.T  # [B, R * B]
            per_text = scale * texts @ all_images.T
            first = len(images) * self.topology.replica
        else:
            per_image = scale * all_images @ all_texts.T  # [R * B, R * B]
            per_text = per_image.T
            first = 0
        labels = paddle.arange(first, first + len(per_image))
        return (F.cross_entropy(per_image, labels) + F.cross_entropy(per_text, labels)) / 2

    def _gather(self, features: Tensor) -> Tensor:
        layer = GatherWithGrad if self.gather_with_grad else GatherSameLoss
        for group in replica_groups(self.topology):
            features = layer.apply(features, group)
        return features
