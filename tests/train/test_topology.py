from __future__ import annotations

from collections.abc import Callable

import pytest

from train.flags import Arguments
from train.topology import Topology, find_topology
from zoo.errors import UsageError


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sets what the launcher sets."""

    def launch(rank: int, world: int) -> None:
        monkeypatch.setenv("PADDLE_TRAINER_ID", str(rank))
        monkeypatch.setenv("PADDLE_TRAINERS_NUM", str(world))

    return launch


@pytest.mark.parametrize(
    ("words", "data", "sharding", "tensor"),
    [
        ([], 8, 1, 1),
        (["--sharding_parallel_degree", 8, "--sharding", "stage2"], 1, 8, 1),
        (["--sharding_parallel_degree", 4], 2, 4, 1),
        (["--sharding", "stage1"], 1, 8, 1),
        (["--tensor_parallel_degree", 2], 4, 1, 2),
        (["--tensor_parallel_degree", 2, "--sharding_parallel_degree", 2], 2, 2, 2),
        (["--tensor_parallel_degree", 2, "--sharding", "stage1"], 1, 4, 2),
    ],
)
def test_the_degrees_make_the_topology(
    arguments: Callable[..., Arguments],
    launched: Callable[[int, int], None],
    words: list[object],
    data: int,
    sharding: int,
    tensor: int,
) -> None:
    launched(5, 8)
    found = find_topology(arguments(*words))
    assert found == Topology(rank=5, data=data, sharding=sharding, tensor=tensor)
    assert found.world == 8


def test_sharding_runs_faster_than_data() -> None:
    shards = [Topology(rank=rank, data=2, sharding=3).shard for rank in range(6)]
    assert shards == [0, 1, 2, 0, 1, 2]


def test_tensor_runs_fastest_and_its_ranks_are_one_replica() -> None:
    """Fleet's order, in which gathering over sharding and then data is that of the replicas."""
    ranks = [Topology(rank=rank, data=2, sharding=2, tensor=2) for rank in range(8)]
    assert [(r.replica, r.shard, r.part) for r in ranks] == [
        *((0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1)),
        *((2, 0, 0), (2, 0, 1), (3, 1, 0), (3, 1, 1)),
    ]
    assert {r.replicas for r in ranks} == {4}


@pytest.mark.parametrize("axis", ["sharding", "tensor"])
@pytest.mark.parametrize("degree", [3, 16, 0, -2])
def test_degrees_that_do_not_multiply_out_are_refused(
    arguments: Callable[..., Arguments],
    launched: Callable[[int, int], None],
    axis: str,
    degree: int,
) -> None:
    launched(0, 8)
    with pytest.raises(UsageError, match=f"8 processes can't be shared out.*{degree}") as refusal:
        find_topology(arguments(f"--{axis}_parallel_degree", degree))
    assert "nnodes * nproc_per_node ==" in str(refusal.value)


def test_without_a_launcher_there_is_one_rank(
    arguments: Callable[..., Arguments], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PADDLE_TRAINERS_NUM", raising=False)
    assert find_topology(arguments()) == Topology(rank=0, data=1, sharding=1)
