"""A tower's blocks for programs that go through oneDNN and keep their products from it.

Paddle Inference hands matmul to oneDNN, and keeps addmm and multi_dot.

Shapes: B batch, L tokens, W width, I inputs, O outputs.
"""

from __future__ import annotations

import paddle
from paddle import Tensor, nn

from zoo.models.block import Attention, Block, Transformer
from zoo.models.linear import affine


class OwnLinear(nn.Layer):
    """A linear layer's parameters, multiplied by addmm."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[B * L, I] -> [B * L, O], or [B, L, I] -> [B, L, O]"""
        if x.ndim == 3:
            return affine(x, self.weight, self.bias)
        return paddle.addmm(self.bias, x, self.weight)


class OwnProduct(OwnLinear):
    """The same before an activation, into which oneDNN takes the sum with the bias."""

    def forward(self, x: Tensor) -> Tensor:
        """[B * L, I] -> [B * L, O]"""
        return paddle.linalg.multi_dot([x, self.weight]) + self.bias


class RowTransformer(nn.Layer):
    """A stack of blocks whose tokens lie in one matrix, [B * L, W], since oneDNN copies what it
    reshapes; but for the last, of which one token is wanted.
    """

    def __init__(self, plain: Transformer) -> None:
        super().__init__()
        *before, self.last = plain.resblocks
        self.before = nn.LayerList(before)
        for block in plain.resblocks:
            for part in (block.attn, block.mlp):
                for name, layer in [*part.named_children()]:
                    if isinstance(layer, nn.Linear):
                        setattr(part, name, OwnLinear(layer))
        for block in before:
            block.mlp.c_fc = OwnProduct(block.mlp.c_fc)

    def forward(self, x: Tensor, mask: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """[B, L, W] -> [B, 1, W]; see Transformer"""
        batch, length, width = x.shape
        rows = x.reshape([-1, width])
        for block in self.before:
            rows = self._through(block, rows, batch, length, mask)
        return self.last(rows.reshape([batch, length, width]), mask, at)

    def _through(
        self, block: Block, rows: Tensor, batch: Tensor, length: Tensor, mask: Tensor | None
    ) -> Tensor:
        """[B * L, W] -> [B * L, W]"""
        normed = block.ln_1(rows)
        rows = rows + block.ls_1(self._attend(block.attn, normed, batch, length, mask))
        return rows + block.ls_2(block.mlp(block.ln_2(rows)))

    def _attend(
        self, attention: Attention, rows: Tensor, batch: Tensor, length: Tensor, mask: Tensor | None
    ) -> Tensor:
        """[B * L, W] -> [B * L, W]"""
        shape = [batch, length, rows.shape[1]]
        q = attention.q_proj(rows).reshape(shape)
        k = attention.k_proj(rows).reshape(shape)
        v = attention.v_proj(rows).reshape(shape)
        mixed = attention.mix_in_program(*map(attention.split, (q, k, v)), mask)
        return attention.out_proj(mixed.reshape([-1, rows.shape[1]]))
