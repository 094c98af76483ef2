"""A model whose layers are cut over ranks, after Megatron-LM (https://arxiv.org/abs/1909.08053).

Attention is cut by heads and the MLP by its inner units: each is entered whole, computed in parts,
and left by a sum. The token embedding is cut by tokens. Everything else, every rank has whole. What
is whole gets the same gradient on every rank.

A parameter that is a part says so as Fleet's do: ``is_distributed``, and ``split_axis``.

Shapes: T ranks, L tokens, W width, V vocabulary.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import paddle
import paddle.distributed as dist
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor, nn
from paddle.autograd import PyLayer
from paddle.distributed.communication.group import Group

from train.flags import Arguments
from train.gather import all_gather
from train.processes import tensor_group
from train.topology import Topology
from zoo.errors import UsageError
from zoo.models.block import MLP, Attention
from zoo.models.clip import CLIP
from zoo.spec import CLIPSpec


class Enter(PyLayer):
    """Hands every rank the whole input; its gradient is the sum of what the parts give."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _sum(gradient, ctx.group)


class Leave(PyLayer):
    """Sums what the parts computed; each part's gradient is the sum's."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: Group) -> Tensor:
        return _sum(x, group)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.clone()


def _sum(x: Tensor, group: Group) -> Tensor:
    x = x.clone()
    dist.all_reduce(x, group=group)
    return x


class RowLinear(nn.Layer):
    """A linear layer whose inputs are cut: weight [in / T, out]; the bias [out] is whole."""

    def __init__(self, linear: nn.Linear, group: Group) -> None:
        super().__init__()
        self._group = group
        self.weight = linear.weight
        self.bias = linear.bias

    def forward(self, x: Tensor) -> Tensor:
        """[B, L, in / T] -> [B, L, out], the same on every rank"""
        return Leave.apply(F.linear(x, self.weight), self._group) + self.bias


class VocabularyEmbedding(nn.Layer):
    """A token embedding of which each rank has the rows [V / T, W] of its tokens."""

    def __init__(self, embedding: nn.Embedding, group: Group) -> None:
        super().__init__()
        self._group = group
        self.weight = embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """int [B, L] -> [B, L, W], the same on every rank"""
        rows = self.weight.shape[0]
        own = tokens - rows * self._group.rank
        is_own = paddle.logical_and(own >= 0, own < rows)
        x = F.embedding(paddle.where(is_own, own, paddle.zeros_like(own)), self.weight)
        return Leave.apply(x * is_own.unsqueeze(-1).astype(x.dtype), self._group)


def check_degree(spec: CLIPSpec, arguments: Arguments, topology: Topology) -> None:
    """Before anything is loaded.

    Raises:
        UsageError: the model can't be cut into so many equal parts, or trained in parts.
    """
    parts = topology.tensor
    if parts > 1 and arguments.optimizer == "lamb":
        raise UsageError(
            "--optimizer lamb needs the norms of whole matrices, and with tensor parallelism a "
            "rank has parts",
            remedy="Take adamw, or share out the optimizer's state with --sharding stage1.",
        )
    assert spec.vision
    assert spec.text
    for tower, of in (("image", spec.vision), ("text", spec.text)):
        for what, size in (("heads", of.heads), ("MLP units", of.mlp_width)):
            _check(parts, size, f"the {tower} tower's {size} {what}")
    _check(parts, spec.text.vocab_size, f"the vocabulary of {spec.text.vocab_size} tokens")


def _check(parts: int, size: int, what: str) -> None:
    if size % parts:
        raise UsageError(
            f"{what} can't be cut into {parts} equal parts",
            remedy="Choose a --tensor_parallel_degree that divides heads, MLP and vocabulary.",
        )


def split(model: CLIP, topology: Topology) -> CLIP:
    """Leaves the model with this rank's parts; all ranks begin with the same weights.

    ``check_degree`` has let it pass.
    """
    group = tensor_group(topology)
    if group is None:
        return model
    for transformer in (model.visual.transformer, model.transformer):
        for block in transformer.resblocks:
            _split_attention(block.attn, group)
            _split_mlp(block.mlp, group)
    _keep_part(model.token_embedding, "weight", 0, group)
    model.token_embedding = VocabularyEmbedding(model.token_embedding, group)
    return model


def _split_attention(attention: Attention, group: Group) -> None:
    attention.heads //= group.nranks
    for linear in (attention.q_proj, attention.k_proj, attention.v_proj):
        _keep_columns(linear, group)
    _keep_part(attention.out_proj, "weight", 0, group)
    attention.out_proj = RowLinear(attention.out_proj, group)
    _enter(attention, group)


def _split_mlp(mlp: MLP, group: Group) -> None:
    _keep_columns(mlp.c_fc, group)
    _keep_part(mlp.c_proj, "weight", 0, group)
    mlp.c_proj = RowLinear(mlp.c_proj, group)
    _enter(mlp, group)


def _enter(layer: nn.Layer, group: Group) -> None:
    layer.register_forward_pre_hook(lambda _, inputs: (Enter.apply(inputs[0], group), *inputs[1:]))


def _keep_columns(linear: nn.Linear, group: Group) -> None:
    _keep_part(linear, "weight", 1, group)
    _keep_part(linear, "bias", 0, group)


def _keep_part(layer: nn.Layer, name: str, axis: int, group: Group) -> None:
    whole = getattr(layer, name)
    part = paddle.create_parameter(
        [size // group.nranks if i == axis else size for i, size in enumerate(whole.shape)],
        whole.dtype,
        default_initializer=nn.initializer.Assign(whole.chunk(group.nranks, axis)[group.rank]),
    )
    part.stop_gradient = whole.stop_gradient
    part.is_distributed, part.split_axis = True, axis
    setattr(layer, name, part)


def cut(whole: NDArray[Any], parameter: Tensor, topology: Topology) -> NDArray[Any]:
    """This rank's part of something of a parameter's shape, the parameter's whole shape."""
    if not parameter.is_distributed:
        return whole
    return np.split(whole, topology.tensor, parameter.split_axis)[topology.part]


def merge(part: Tensor, parameter: Tensor, topology: Topology) -> Tensor:
    """The reverse of ``cut``; every rank has to call it."""
    if not parameter.is_distributed:
        return part
    return all_gather(part, tensor_group(topology), parameter.split_axis)
