"""AdamW and Lamb over parameter groups; the optimizer's state may be shared out over ranks.

Sharing it out is ZeRO's stage 1 (https://arxiv.org/abs/1910.02054). It is written here because
Paddle's DygraphShardingOptimizer takes no parameter groups and its group sharding no CPU. Stage 2
is in ``train.stage2``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import paddle
import paddle.distributed as dist
from numpy.typing import NDArray

from train.flags import Arguments
from train.groups import Group
from train.processes import sharding_group, tensor_group
from train.tensor_parallel import cut, merge
from train.topology import Topology

MOMENTS = ("moment1", "moment2")
POWERS = {"beta1_pow": "adam_beta1", "beta2_pow": "adam_beta2"}  # the same for every parameter
State = dict[str, NDArray[np.float32]]


class Optimizer:
    """Steps every parameter of the groups; each rank computes those of its shard.

    Args:
        groups: see ``train.groups``.
        arguments: which optimizer, and its constants.
        topology: ranks; the state is shared out over ``topology.sharding`` of them.
    """

    def __init__(self, groups: Iterable[Group], arguments: Arguments, topology: Topology) -> None:
        groups = list(groups)
        self.parameters = {n: p for group in groups for n, p in group.parameters.items()}
        self._owner = share_out(
            {n: math.prod(p.shape) for n, p in self.parameters.items()}, topology.sharding
        )
        self._arguments = arguments
        self._topology = topology
        self._group = sharding_group(topology)
        self._own = {n: p for n, p in self.parameters.items() if self._is_own(n)}
        self._inner = _make(arguments, [self._own_part(group) for group in groups])

    @paddle.no_grad()
    def clip(self, largest: float, scale: float = 1.0) -> float:
        """Scales the gradients so that their norm, all together, is at most ``largest``.

        Args:
            largest: 0: they only become what they are without ``scale``.
            scale: the factor that the loss had.

        Returns:
            The norm without ``scale`` and before clipping, the same on every rank. Where it is not
            finite, the gradients stay as they are.
        """
        squares = [paddle.zeros([], next(iter(self.parameters.values())).dtype)]
        for parameter in self._own.values():
            if parameter.is_distributed or self._topology.part == 0:  # what is whole counts once
                squares.append(parameter.grad.square().sum())
        square = paddle.stack(squares).sum()
        for group in (self._group, tensor_group(self._topology)):
            if group is not None:
                dist.all_reduce(square, group=group)
        norm = float(square.sqrt()) / scale
        factor = (largest / norm if 0 < largest < norm else 1.0) / scale
        if factor != 1 and math.isfinite(norm):
            for parameter in self._own.values():
                parameter.grad.scale_(factor)
        return norm

    def step(self, rate: float) -> None:
        """One step at ``rate`` (before the groups' factors), and no gradients afterwards."""
        self._inner.set_lr(rate)
        self._inner.step()
        if self._topology.sharding > 1:
            with paddle.no_grad():
                for name, parameter in self.parameters.items():
                    dist.broadcast(parameter, src=self.source(name), group=self._group)
        self.forget()

    def forget(self) -> None:
        """No gradients; the next backward pass gives new ones without adding to zeros."""
        for parameter in self.parameters.values():
            parameter.clear_gradient(False)  # by position: the name is not read

    def state(self) -> State:
        """What a later run goes on from, by the parameters' own names; every rank has to call it,
        and the first one gets it.

        ``NAME.moment1`` and ``NAME.moment2`` of a parameter's whole shape; ``beta1_pow`` and
        ``beta2_pow`` [1].
        """
        known = self._inner.state_dict()
        state: State = {}
        for name, parameter in self.parameters.items():
            for moment in MOMENTS:
                value = known.get(f"{parameter.name}_{moment}_0")
                if value is None:  # another rank's, or no step was taken yet
                    value = paddle.zeros_like(parameter)
                if self._topology.sharding > 1:
                    value = value.clone()
                    dist.broadcast(value, src=self.source(name), group=self._group)
                whole = merge(value, parameter, self._topology)
                if self._topology.rank == 0:
                    state[f"{name}.{moment}"] = whole.numpy()
        if self._topology.rank > 0:
            return {}
        first = next(iter(self._own.values()))
        for power, beta in POWERS.items():
            value = known.get(f"{first.name}_{power}_acc_0")
            begun = np.array([getattr(self._arguments, beta)], np.float32)
            state[power] = begun if value is None else value.numpy()
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """Goes on from ``state``; call it before the first step."""
        known = {}
        for name, parameter in self._own.items():
            for m in MOMENTS:
                part = cut(state[f"{name}.{m}"], parameter, self._topology)
                known[f"{parameter.name}_{m}_0"] = np.array(part)
            known |= {f"{parameter.name}_{p}_acc_0": np.array(state[p]) for p in POWERS}
        self._inner.set_state_dict(known)

    def _is_own(self, name: str) -> bool:
        return self._owner[name] == self._topology.shard

    def source(self, name: str) -> int:
        """The rank of this rank's sharding group that owns a parameter."""
        assert self._group
        return self._group.ranks[self._owner[name]]

    def _own_part(self, group: Group) -> Group:
        own = {name: p for name, p in group.parameters.items() if name in self._own}
        return Group(parameters=own, factor=group.factor, decay=group.decay)


def share_out(sizes: Mapping[str, int], shards: int) -> dict[str, int]:
    """Which shard owns which parameter: the largest first, each to the shard with least so far."""
    loads = [0] * shards
    owner = {}
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        owner[name] = loads.index(min(loads))
        loads[owner[name]] += sizes[name]
    return owner


def _make(arguments: Arguments, groups: list[Group]) -> paddle.optimizer.Optimizer:
    constants = {
        "learning_rate": arguments.learning_rate,
        "beta1": arguments.adam_beta1,
        "beta2": arguments.adam_beta2,
        "epsilon": arguments.adam_epsilon,
    }
    lamb = arguments.optimizer == "lamb"
    parts = [
        {
            "params": list(group.parameters.values()),
            "learning_rate": group.factor,
            "lamb_weight_decay" if lamb else "weight_decay": group.decay,
        }
        for group in groups
        if group.parameters
    ]
    kind = paddle.optimizer.Lamb if lamb else paddle.optimizer.AdamW
    return kind(parameters=parts, **constants)
