"""The image tower: a Vision Transformer (https://arxiv.org/abs/2010.11929), pooled at its class
token.

Shapes: B batch, G patches, W width, E the embedding both towers share.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from zoo.models.block import Transformer, layer_norm
from zoo.spec import VisionSpec


class VisionTower(nn.Layer):
    """Pictures to embeddings."""

    def __init__(self, spec: VisionSpec, embed_dim: int) -> None:
        super().__init__()
        self.patch_dropout = spec.patch_dropout
        self.class_embedding = self.create_parameter([spec.width])
        self.positional_embedding = self.create_parameter([spec.tokens, spec.width])
        self.proj = self.create_parameter([spec.width, embed_dim])
        self.conv1 = nn.Conv2D(
            3, spec.width, kernel_size=spec.patch_size, stride=spec.patch_size, bias_attr=False
        )
        self.ln_pre = layer_norm(spec) if spec.ln_pre else nn.Identity()
        self.transformer = Transformer(spec)
        self.ln_post = layer_norm(spec)

    def forward(self, pixels: Tensor) -> Tensor:
        """[B, 3, height, width] -> [B, E], not normalised"""
        x = self.conv1(pixels)  # [B, W, grid height, grid width]
        x = x.flatten(2).transpose([0, 2, 1])  # [B, G, W]
        first = self.class_embedding.expand([x.shape[0], 1, -1])  # [B, 1, W]
        x = paddle.concat([first, x], axis=1) + self.positional_embedding  # [B, 1 + G, W]
        if self.training and self.patch_dropout > 0:
            x = drop_patches(x, self.patch_dropout)
        at = paddle.zeros([x.shape[0], 1, 1], "int64")  # the class token's place
        x = self.transformer(self.ln_pre(x), at=at)  # [B, 1, W]
        return self.ln_post(x.squeeze(1)) @ self.proj


def drop_patches(x: Tensor, fraction: float) -> Tensor:
    """Keeps the class token and a random choice of patches for each picture.

    [B, 1 + G, W] -> [B, 1 + max(1, int(G * (1 - fraction))), W]; FLIP,
    https://arxiv.org/abs/2212.00794
    """
    batch, tokens = x.shape[0], x.shape[1] - 1
    keep = max(1, int(tokens * (1 - fraction)))
    chosen = paddle.rand([batch, tokens]).topk(keep, axis=1)[1] + 1  # [B, keep]
    indices = paddle.concat([paddle.zeros([batch, 1], chosen.dtype), chosen], axis=1)
    return x.take_along_axis(indices.unsqueeze(-1), axis=1)
