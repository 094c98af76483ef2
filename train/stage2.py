"""Gradients shared out over ranks: ZeRO's stage 2 (https://arxiv.org/abs/1910.02054)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import paddle
import paddle.distributed as dist
from paddle import Tensor
from paddle.distributed.communication.group import Group

from train.flags import Arguments
from train.groups import LOGIT_SCALE
from train.optimizer import Optimizer
from train.processes import sharding_group
from train.topology import Topology


class GradientShards:
    """Each gradient goes to the rank that owns the parameter, as soon as it has been computed, and
    no other rank keeps it.

    Ranks may compute gradients in another order, since their graphs depend on the lengths of their
    texts. They send them in one order, that of the layers from last to first: a gradient waits for
    those before it.

    Args:
        parameters: by name.
        owners: the rank of each parameter's owner.
        group: the ranks that share them out.
    """

    def __init__(
        self, parameters: dict[str, Tensor], owners: Mapping[str, int], group: Group
    ) -> None:
        self.group = group
        self._parameters = parameters
        self._owners = owners
        layers = [name for name in reversed(parameters) if name != LOGIT_SCALE]
        self._order = [*layers, *(parameters.keys() - layers)]
        self._next = 0  # of the order, in this backward pass
        self._computed: set[str] = set()
        self._sums: dict[str, Tensor] = {}
        for name, parameter in parameters.items():
            parameter._register_backward_hook(partial(self._take, name))

    def _take(self, name: str) -> None:
        self._computed.add(name)
        while self._next < len(self._order) and self._order[self._next] in self._computed:
            self._send(self._order[self._next])
            self._next += 1

    @paddle.no_grad()
    def _send(self, name: str) -> None:
        self._computed.remove(name)
        parameter = self._parameters[name]
        gradient = parameter.grad
        dist.reduce(gradient, dst=self._owners[name], group=self.group)
        if self._owners[name] == dist.get_rank():
            known = self._sums.get(name)
            self._sums[name] = gradient.clone() if known is None else known.add_(gradient)
        parameter.clear_gradient(False)  # by position: the name is not read

    def finish_pass(self) -> None:
        """After each backward pass: sends what waits for a gradient that this pass does not give,
        as one over features alone gives none to the logit scale."""
        for name in self._order[self._next :]:
            if name in self._computed:
                self._send(name)
        self._next = 0

    @paddle.no_grad()
    def average(self) -> list[Tensor]:
        """After all backward passes of a step: this rank's parameters, whose gradients are the mean
        over the group now."""
        own = []
        for name, gradient in self._sums.items():
            parameter = self._parameters[name]
            parameter.grad = gradient.scale_(1 / self.group.nranks)
            own.append(parameter)
        self._sums = {}
        return own


def make_shards(
    arguments: Arguments, topology: Topology, optimizer: Optimizer
) -> GradientShards | None:
    """What ``--sharding stage2`` asks for; None: every rank keeps all gradients."""
    group = sharding_group(topology)
    if group is None or arguments.sharding != "stage2":
        return None
    owners = {name: optimizer.source(name) for name in optimizer.parameters}
    return GradientShards(optimizer.parameters, owners, group)
