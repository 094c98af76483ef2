"""Towers computed in other ways than zoo's: what was tried for speed, to be measured again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.runtime import import_paddle

paddle = import_paddle()

import paddle.nn.functional as F  # noqa: E402
from paddle import nn  # noqa: E402
from paddle.incubate.nn.functional import fused_layer_norm  # noqa: E402

from zoo.models.block import Attention, Transformer, pick  # noqa: E402
from zoo.models.linear import Linear  # noqa: E402

Tower = Any  # a VisionTower or a TextTower


class OneProjection(Attention):
    """Queries, keys and values by one product, its weights put side by side on load."""

    def __init__(self, plain: Attention) -> None:
        nn.Layer.__init__(self)
        self.heads, self.scale, self.out_proj = plain.heads, plain.scale, plain.out_proj
        parts = (plain.q_proj, plain.k_proj, plain.v_proj)
        self.packed = Linear(plain.q_proj.weight.shape[0], 3 * plain.q_proj.weight.shape[1])
        self.packed.weight.set_value(paddle.concat([part.weight for part in parts], axis=1))
        self.packed.bias.set_value(paddle.concat([part.bias for part in parts]))

    def project(self, x: Any, at: Any = None) -> tuple[Any, ...]:
        q, k, v = self.packed(x).chunk(3, axis=2)
        return self.split(pick(q, at)), self.split(k), self.split(v)


class FusedNorms(Transformer):
    """Each sum of the residual stream in one kernel with the norm that follows it."""

    def __init__(self, plain: Transformer) -> None:
        nn.Layer.__init__(self)
        self.resblocks = plain.resblocks

    def forward(self, x: Any, mask: Any = None, at: Any = None) -> Any:
        normed = self.resblocks[0].ln_1(x)
        following = [*(block.ln_1 for block in self.resblocks[1:]), None]
        for block, after in zip(self.resblocks, following, strict=True):
            wanted = at if after is None else None
            attended = block.attn(normed, mask, wanted)
            normed, x = add_and_norm(attended, pick(x, wanted), block.ln_2)
            update = block.mlp(normed)
            if after is None:
                return x + update
            normed, x = add_and_norm(update, x, after)
        return x


def add_and_norm(update: Any, x: Any, norm: Any) -> tuple[Any, Any]:
    """The norm of the sum, and the sum."""
    normed, added, *_ = fused_layer_norm(
        update, norm.weight, norm.bias, norm._epsilon, begin_norm_axis=2, residual=x
    )
    return normed, added


class PatchProduct(nn.Layer):
    """The patch embedding as a product, [B, 3, height, width] -> [B, W, grid, grid]."""

    def __init__(self, plain: Any) -> None:
        super().__init__()
        self.size = plain.weight.shape[-1]
        self.weight = plain.weight.flatten(1).transpose([1, 0]).clone()

    def forward(self, pixels: Any) -> Any:
        batch, grid = pixels.shape[0], pixels.shape[-1] // self.size
        cut = pixels.reshape([batch, 3, grid, self.size, grid, self.size])
        rows = cut.transpose([0, 2, 4, 1, 3, 5]).reshape([batch, grid * grid, -1])
        return rows.matmul(self.weight).transpose([0, 2, 1]).reshape([batch, -1, grid, grid])


class WholeBlocks(Transformer):
    """The last block for every token, too."""

    def __init__(self, plain: Transformer) -> None:
        nn.Layer.__init__(self)
        self.recompute, self.resblocks = False, plain.resblocks

    def forward(self, x: Any, mask: Any = None, at: Any = None) -> Any:
        return pick(super().forward(x, mask), at)


def one_projection(tower: Tower) -> Tower:
    for block in tower.transformer.resblocks:
        block.attn = OneProjection(block.attn)
    return tower


def fused_norms(tower: Tower) -> Tower:
    tower.transformer = FusedNorms(tower.transformer)
    return tower


def whole_blocks(tower: Tower) -> Tower:
    tower.transformer = WholeBlocks(tower.transformer)
    return tower


def patch_product(tower: Tower) -> Tower:
    tower.conv1 = PatchProduct(tower.conv1)
    return tower


def static(tower: Tower) -> Tower:
    """Without CINN, which Paddle's wheels for CPU are built without; attention as in eager mode."""
    for block in tower.transformer.resblocks:
        block.attn.mix_in_program = block.attn._mix
    return paddle.jit.to_static(tower, backend=None, full_graph=True)


def native_attention(tower: Tower) -> Tower:
    """Paddle's own attention, which has one kernel on GPUs alone."""
    for block in tower.transformer.resblocks:
        block.attn._mix = paddle_attention
    return tower


def paddle_attention(q: Any, k: Any, v: Any, mask: Any) -> Any:
    return F.scaled_dot_product_attention(q, k, v, is_causal=mask is not None).flatten(2)


VARIANTS: dict[str, Callable[[Tower], Tower]] = {
    "one product for q, k and v": one_projection,
    "residual and norm in one kernel": fused_norms,
    "patches by a product": patch_product,
    "static graph": static,
    "Paddle's own attention": native_attention,
    "every token in the last block": whole_blocks,
}
