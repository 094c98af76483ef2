"""Who does what: the ranks of a job by data, sharding and tensor parallelism.

Ranks are numbered data, sharding, tensor, the last running fastest, as Fleet numbers them. The
tensor-parallel ranks of one model together are a replica, which has samples of its own.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from train.flags import Arguments
from zoo.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Topology:
    """``data * sharding * tensor`` ranks, of which this process is ``rank``."""

    rank: int
    data: int
    sharding: int
    tensor: int = 1

    @property
    def world(self) -> int:
        return self.data * self.sharding * self.tensor

    @property
    def replicas(self) -> int:
        """Among how many the samples are shared out."""
        return self.data * self.sharding

    @property
    def replica(self) -> int:
        """To which of them this rank belongs."""
        return self.rank // self.tensor

    @property
    def shard(self) -> int:
        """Which part of the optimizer's state is this rank's."""
        return self.replica % self.sharding

    @property
    def part(self) -> int:
        """Which part of a parameter that tensor parallelism cuts is this rank's."""
        return self.rank % self.tensor


def find_topology(arguments: Arguments) -> Topology:
    """The topology that the launcher's variables and the degrees make.

    Raises:
        UsageError: the degrees do not multiply out.
    """
    world = int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
    rank = int(os.environ.get("PADDLE_TRAINER_ID", "0"))
    tensor, sharding = arguments.tensor_parallel_degree, arguments.sharding_parallel_degree
    if tensor == -1:
        tensor = 1
    if sharding == -1:
        sharding = world // tensor if arguments.sharding and tensor > 0 else 1
    if tensor < 1 or sharding < 1 or world % (tensor * sharding):
        raise UsageError(
            f"{world} processes can't be shared out: tensor_parallel_degree {tensor} * "
            f"sharding_parallel_degree {sharding} does not divide them",
            remedy="nnodes * nproc_per_node == tensor_parallel_degree * sharding_parallel_degree "
            "* dp_parallel_degree",
        )
    return Topology(rank=rank, data=world // (tensor * sharding), sharding=sharding, tensor=tensor)
