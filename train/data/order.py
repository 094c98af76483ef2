"""Which samples make which batch: known in advance from the seed alone.

The whole batch is decided first and then cut into the ranks' parts, so that another number of
ranks gets the same batches, and a run that goes on gets those that are next.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from zoo.errors import DatasetError

Key = tuple[int, int]  # epoch, index of the sample


class BatchOrder:
    """One rank's keys, batch by batch, in a new order every epoch.

    Args:
        samples: how many there are.
        batch: samples of all ranks in a batch.
        rank: this rank.
        ranks: ranks.
        seed: of the order.
        steps: batches in all.
        done: batches that a run before had.

    Raises:
        DatasetError: the samples do not fill a batch.
    """

    def __init__(
        self,
        samples: int,
        *,
        batch: int,
        rank: int,
        ranks: int,
        seed: int,
        steps: int,
        done: int = 0,
    ) -> None:
        self.per_epoch = batches_in_epoch(samples, batch)
        self._samples = samples
        self._batch = batch
        self._part = slice(rank * batch // ranks, (rank + 1) * batch // ranks)
        self._seed = seed
        self._steps = range(done, steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __iter__(self) -> Iterator[list[Key]]:
        current, order = -1, np.empty(0, np.int64)
        for step in self._steps:
            epoch, at = divmod(step, self.per_epoch)
            if epoch != current:
                current = epoch
                order = np.random.default_rng([self._seed, epoch]).permutation(self._samples)
            whole = order[at * self._batch : (at + 1) * self._batch]
            yield [(epoch, int(index)) for index in whole[self._part]]


def batches_in_epoch(samples: int, batch: int) -> int:
    """Whole batches; what is left over has its turn in another epoch's order.

    Raises:
        DatasetError: there is none.
    """
    if samples < batch:
        raise DatasetError(
            f"{samples} samples do not fill a batch of {batch}",
            remedy="Lower --per_device_train_batch_size or --gradient_accumulation_steps.",
        )
    return samples // batch
