"""Who does what: the ranks of a job by data and sharding parallelism.

Ranks are numbered data, sharding, the last running fastest, as Fleet numbers them: gathering in
their order is gathering over the sharding group first and the data group then.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from train.flags import Arguments
from zoo.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class Topology:
    """``data * sharding`` ranks, of which this process is ``rank``; each has samples of its own."""

    rank: int
    data: int
    sharding: int

    @property
    def world(self) -> int:
        return self.data * self.sharding

    @property
    def shard(self) -> int:
        """Which part of the optimizer's state is this rank's."""
        return self.rank % self.sharding


def find_topology(arguments: Arguments) -> Topology:
    """The topology that the launcher's variables and the degrees make.

    Raises:
        UsageError: the degrees do not multiply out.
    """
    world = int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
    rank = int(os.environ.get("PADDLE_TRAINER_ID", "0"))
    sharding = arguments.sharding_parallel_degree
    if sharding == -1:
        sharding = world if arguments.sharding else 1
    if sharding < 1 or world % sharding:
        raise UsageError(
            f"{world} processes can't be shared out: sharding_parallel_degree {sharding} does not "
            "divide them",
            remedy="nnodes * nproc_per_node == tensor_parallel_degree * sharding_parallel_degree "
            "* dp_parallel_degree",
        )
    return Topology(rank=rank, data=world // sharding, sharding=sharding)
