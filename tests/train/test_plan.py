"""How many steps there are, and how many of them warm up."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from train.flags import Arguments
from train.topology import Topology
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train.plan import Plan, make_plan  # noqa: E402
from zoo.errors import UsageError  # noqa: E402


@pytest.fixture
def plan(arguments: Callable[..., Arguments]) -> Callable[..., Plan]:
    """Of 100 samples on two ranks."""

    def make(*words: object, samples: int | None = 100) -> Plan:
        topology = Topology(rank=0, data=2, sharding=1)
        return make_plan(arguments(*words), topology, samples=samples)

    return make


def test_the_batch_is_that_of_all_ranks_and_passes(plan: Callable[..., Plan]) -> None:
    found = plan("--per_device_train_batch_size", 3, "--gradient_accumulation_steps", 4)
    assert (found.batch, found.per_epoch) == (24, 4)


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        (("--num_train_epochs", 2), 12),
        (("--num_train_epochs", 0.4), 3),
        (("--num_train_epochs", 2, "--max_steps", 7), 7),
        ((), 18),
    ],
)
def test_epochs_make_steps_unless_steps_are_given(
    plan: Callable[..., Plan], words: tuple[object, ...], steps: int
) -> None:
    assert plan(*words).steps == steps  # six to an epoch


@pytest.mark.parametrize(
    ("words", "warmup"),
    [
        ((), 0),
        (("--warmup_ratio", 0.25), 5),
        (("--warmup_steps", 3), 3),
        (("--warmup_steps", 3, "--warmup_ratio", 0.25), 3),
    ],
)
def test_warm_up_by_steps_or_by_ratio(
    plan: Callable[..., Plan], words: tuple[object, ...], warmup: int
) -> None:
    assert plan(*words).warmup == warmup


def test_a_stream_has_the_steps_it_is_given(plan: Callable[..., Plan]) -> None:
    found = plan("--max_steps", 50, samples=None)
    assert (found.steps, found.per_epoch, found.batch) == (50, 50, 16)
    with pytest.raises(UsageError, match="--max_steps is needed"):
        plan(samples=None)


@pytest.mark.parametrize(
    ("stage", "what"),
    [("stage1", "optimizer's state"), ("stage2", "optimizer's state and gradients")],
)
def test_what_is_shared_out_is_said(
    arguments: Callable[..., Arguments], stage: str, what: str
) -> None:
    topology = Topology(rank=0, data=1, sharding=2)
    found = make_plan(arguments("--sharding", stage), topology, samples=100)
    assert found.lines[0] == f"2 ranks share out the {what}"
