"""The processes of a job, brought together: by Paddle's Fleet where sharding or tensor parallelism
is above 1, otherwise by its default group.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paddle
import paddle.distributed as dist
from paddle.distributed import fleet
from paddle.distributed.communication.group import Group

from train.data.places import Place
from train.topology import Topology
from zoo.errors import ConfigError


def start(topology: Topology) -> None:
    """Joins the job; every rank has to call it, before anything below."""
    if topology.world == topology.data:
        if topology.world > 1:
            dist.init_parallel_env()
        return
    strategy = fleet.DistributedStrategy()
    strategy.hybrid_configs = {
        "dp_degree": topology.data,
        "sharding_degree": topology.sharding,
        "mp_degree": topology.tensor,
        "pp_degree": 1,
    }
    with _few_groups(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Current global rank . is not in group")
        fleet.init(is_collective=True, strategy=strategy, log_level="WARNING")


def meet(topology: Topology) -> None:
    """Waits until every rank is here."""
    if topology.world > 1:
        dist.barrier()


def check_same_step(step: int, topology: Topology, output: Path) -> None:
    """Every rank has to go on from the same step.

    Raises:
        ConfigError: they do not, as on nodes that have a folder each.
    """
    if topology.world == 1:
        return
    steps: list[paddle.Tensor] = []
    dist.all_gather(steps, paddle.to_tensor([step]))
    found = sorted({other.item() for other in steps})
    if len(found) > 1:
        raise ConfigError(
            f"ranks would go on from different steps: {', '.join(map(str, found))}",
            where=output,
            remedy="All nodes have to share the folder of --output_dir.",
        )


def gather_places(own: list[Place], topology: Topology) -> list[list[Place]]:
    """Where the readers of every replica are; every rank has to call it."""
    if topology.world == 1 or not own:
        return [own]
    found: list[paddle.Tensor] = []
    dist.all_gather(found, paddle.to_tensor(own, dtype="int64"))
    return [[Place(*place) for place in of.tolist()] for of in found[:: topology.tensor]]


@contextmanager
def _few_groups() -> Iterator[None]:
    """Fleet makes a group for every axis and check, and with gloo each may fail to connect: where
    ranks are not equally far, one may be sent to an address that another has left.

    A group of all ranks is the default group here, and others are made one by one.
    """
    make = dist.new_group

    def new_group(ranks: list[int], **options: Any) -> Group:
        if len(ranks) == dist.get_world_size():
            return dist.get_group(0)
        dist.barrier()
        group = make(ranks, **options)
        dist.barrier()
        return group

    dist.new_group = new_group
    try:
        yield
    finally:
        dist.new_group = make


def replica_groups(topology: Topology) -> list[Group]:
    """The ranks that hold the same parameters as this one and have other samples.

    Gathering over one group after the other is gathering in the order of replicas.
    """
    if topology.replicas == 1:
        return []
    if topology.world == topology.data:
        return [dist.get_group(0)]
    known = fleet.get_hybrid_communicate_group()
    return [
        group
        for group in (known.get_sharding_parallel_group(), known.get_data_parallel_group())
        if group.nranks > 1
    ]


def sharding_group(topology: Topology) -> Group | None:
    """The ranks that share out one copy of the optimizer's state; None: there is no other."""
    if topology.sharding == 1:
        return None
    return fleet.get_hybrid_communicate_group().get_sharding_parallel_group()


def tensor_group(topology: Topology) -> Group | None:
    """The ranks that have the parts of one model; None: there is no other."""
    if topology.tensor == 1:
        return None
    return fleet.get_hybrid_communicate_group().get_model_parallel_group()
