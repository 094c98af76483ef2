"""Who gets which samples: nobody the same, everybody each epoch, whoever asks."""

from __future__ import annotations

from itertools import chain

import pytest

from train.data.order import BatchOrder, Key
from zoo.errors import DatasetError


def batches(rank: int = 0, ranks: int = 1, *, seed: int = 1, done: int = 0) -> list[list[Key]]:
    """100 samples, 8 in a batch: 12 batches to an epoch; two epochs."""
    return list(BatchOrder(100, batch=8, rank=rank, ranks=ranks, seed=seed, steps=24, done=done))


def indices(part: list[list[Key]]) -> list[int]:
    return [index for _, index in chain(*part)]


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_share_no_sample_and_leave_none_out(ranks: int) -> None:
    parts = [batches(rank, ranks) for rank in range(ranks)]
    for epoch in (slice(0, 12), slice(12, 24)):
        seen = list(chain(*(indices(part[epoch]) for part in parts)))
        assert len(seen) == len(set(seen)) == 96


@pytest.mark.parametrize("ranks", [2, 4])
def test_another_number_of_ranks_makes_the_same_batches(ranks: int) -> None:
    parts = [batches(rank, ranks) for rank in range(ranks)]
    assert [list(chain(*part)) for part in zip(*parts, strict=True)] == batches()


def test_every_epoch_has_an_order_of_its_own() -> None:
    first, second = indices(batches()[:12]), indices(batches()[12:])
    assert first != second
    assert first != sorted(first)
    assert {epoch for epoch, _ in chain(*batches()[12:])} == {1}


def test_what_an_epoch_leaves_out_is_not_always_the_same() -> None:
    left = [set(range(100)) - set(indices(part)) for part in (batches()[:12], batches()[12:])]
    assert len(left[0]) == len(left[1]) == 4
    assert left[0] != left[1]


def test_a_seed_gives_an_order_again_and_another_one_another() -> None:
    assert batches() == batches()
    assert batches() != batches(seed=2)


@pytest.mark.parametrize("done", [1, 11, 12, 17])
def test_a_run_that_goes_on_gets_what_is_next(done: int) -> None:
    assert batches(done=done) == batches()[done:]


def test_too_few_samples_for_a_batch_are_refused() -> None:
    with pytest.raises(DatasetError, match="7 samples do not fill a batch of 8"):
        BatchOrder(7, batch=8, rank=0, ranks=1, seed=0, steps=1)
