"""Linear layers that keep their products from oneDNN, in programs that otherwise go through it."""

from __future__ import annotations

from paddle import Tensor, nn

from zoo.models.block import Transformer
from zoo.models.linear import affine


class OwnLinear(nn.Layer):
    """A linear layer's parameters, multiplied by addmm: Paddle Inference hands matmul to oneDNN,
    and keeps addmm.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, in] -> [B, L, out]"""
        return affine(x, self.weight, self.bias)


def keep_products(transformer: Transformer) -> None:
    """Exchanges every linear layer of the blocks for one that computes by itself."""
    for block in transformer.resblocks:
        for part in (block.attn, block.mlp):
            for name, layer in [*part.named_children()]:
                if isinstance(layer, nn.Linear):
                    setattr(part, name, OwnLinear(layer))
