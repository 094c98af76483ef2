"""The transformer that both towers share.

Shapes: B batch, L tokens, W width, H heads, D = W / H, M the MLP's width. Where one token of each
row is all that is wanted, ``at``, int [B, 1, 1], says which.
"""

from __future__ import annotations

from collections.abc import Callable

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.distributed.fleet.utils import recompute

from zoo.models.linear import Linear
from zoo.spec import Activation, TowerSpec

QUICK = 1.702


def quick_gelu(x: Tensor) -> Tensor:
    """OpenAI's approximation of GELU (https://github.com/openai/CLIP, model.py)."""
    return x * F.sigmoid(QUICK * x)


ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,  # exact: x * Phi(x) by erf
    "quick_gelu": quick_gelu,
}


def layer_norm(spec: TowerSpec) -> nn.LayerNorm:
    return nn.LayerNorm(spec.width, epsilon=spec.norm_eps)


def has_fused_kernel(q: Tensor) -> bool:
    """Whether Paddle may have attention in one kernel for such queries: flash attention and its
    like are for half precision on GPUs. Which of them the device can run, Paddle asks the device.
    """
    return q.dtype in (paddle.float16, paddle.bfloat16) and q.place.is_gpu_place()


def pick(x: Tensor, at: Tensor | None) -> Tensor:
    """[B, L, W] -> [B, 1, W]; without ``at`` all of it."""
    return x if at is None else x.take_along_axis(at, axis=1)


class Attention(nn.Layer):
    """Multi-head self-attention."""

    def __init__(self, spec: TowerSpec) -> None:
        super().__init__()
        self.heads = spec.heads
        self.scale = spec.head_width**-0.5
        self.q_proj = Linear(spec.width, spec.width)
        self.k_proj = Linear(spec.width, spec.width)
        self.v_proj = Linear(spec.width, spec.width)
        self.out_proj = Linear(spec.width, spec.width)

    def forward(self, x: Tensor, mask: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """[B, L, W] -> [B, L, W], or [B, 1, W] with ``at``; ``mask`` [L, L] is the causal one: it
        is added to the scores."""
        q, k, v = self.project(x, at)
        if mask is not None and at is not None:
            mask = mask.gather(at.flatten()).unsqueeze([1, 2])  # [B, 1, 1, L]
        if not paddle.in_dynamic_mode():
            mixed = self.mix_in_program(q, k, v, mask)
        elif has_fused_kernel(q) and at is None:
            causal = mask is not None
            mixed = F.scaled_dot_product_attention(q, k, v, is_causal=causal).flatten(2)
        else:
            mixed = self._mix(q, k, v, mask)
        return self.out_proj(mixed)

    def project(self, x: Tensor, at: Tensor | None = None) -> tuple[Tensor, ...]:
        """Queries, keys and values: [B, L, W] -> [B, L, H, D] thrice; with ``at`` queries are
        [B, 1, H, D]"""
        q, k, v = self.q_proj(pick(x, at)), self.k_proj(x), self.v_proj(x)
        return self.split(q), self.split(k), self.split(v)

    def _mix(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """[B, L, H, D] thrice -> [B, L, W]

        By einsum, since transposing the heads to the front makes strided views, which paddle copies
        so slowly on CPU that attention took four times as long.
        """
        scores = paddle.einsum("bqhd,bkhd->bhqk", q * self.scale, k)  # [B, H, L, L]
        if mask is not None:
            scores = scores + mask
        return paddle.einsum("bhqk,bkhd->bqhd", F.softmax(scores), v).flatten(2)

    def mix_in_program(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        """The same for Paddle Inference, whose oneDNN has no einsum, and no copies: it takes the
        transposes into the products. The scale comes last, or it would take the mask into the
        product too, by code that is ten times slower.
        """
        q, k, v = (x.transpose([0, 2, 1, 3]) for x in (q, k, v))  # [B, H, L, D]
        scores = q.matmul(k, transpose_y=True) * self.scale  # [B, H, L, L]
        if mask is not None:
            scores = scores + mask
        mixed = F.softmax(scores).matmul(v).transpose([0, 2, 1, 3])
        return mixed.reshape([0, 0, self.out_proj.weight.shape[0]])

    def split(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, L, H, D]"""
        return x.reshape([0, 0, self.heads, -1])


class MLP(nn.Layer):
    """Two linear layers with an activation between them."""

    def __init__(self, spec: TowerSpec) -> None:
        super().__init__()
        self.c_fc = Linear(spec.width, spec.mlp_width)
        self.activation = ACTIVATIONS[spec.activation]
        self.c_proj = Linear(spec.mlp_width, spec.width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, W] -> [B, L, W], through [B, L, M]"""
        return self.c_proj(self.activation(self.c_fc(x)))


class LayerScale(nn.Layer):
    """A learned factor per channel (https://arxiv.org/abs/2103.17239)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = self.create_parameter([width])

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


class Block(nn.Layer):
    """Pre-norm residual block: attention, then MLP."""

    def __init__(self, spec: TowerSpec) -> None:
        super().__init__()
        scaled = spec.layer_scale is not None
        self.ln_1 = layer_norm(spec)
        self.attn = Attention(spec)
        self.ls_1 = LayerScale(spec.width) if scaled else nn.Identity()
        self.ln_2 = layer_norm(spec)
        self.mlp = MLP(spec)
        self.ls_2 = LayerScale(spec.width) if scaled else nn.Identity()

    def forward(self, x: Tensor, mask: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """[B, L, W] -> [B, L, W], or [B, 1, W] with ``at``"""
        x = pick(x, at) + self.ls_1(self.attn(self.ln_1(x), mask, at))
        return x + self.ls_2(self.mlp(self.ln_2(x)))


class Transformer(nn.Layer):
    """A stack of blocks.

    Attributes:
        recompute: forget what is inside the blocks and compute it again in the backward pass:
            memory for time. Off at first.
    """

    def __init__(self, spec: TowerSpec) -> None:
        super().__init__()
        self.recompute = False
        self.resblocks = nn.LayerList([Block(spec) for _ in range(spec.layers)])

    def forward(self, x: Tensor, mask: Tensor | None = None, at: Tensor | None = None) -> Tensor:
        """[B, L, W] -> [B, L, W], or [B, 1, W] with ``at``: then the last block computes for those
        tokens alone, since nothing reads what it makes of the others."""
        last = len(self.resblocks) - 1
        for index, block in enumerate(self.resblocks):
            given = (x, mask, at if index == last else None)
            x = recompute(block, *given, use_reentrant=False) if self.recompute else block(*given)
        return x
