"""From annotations to the arrays that a model trains on."""

from __future__ import annotations

import ctypes
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from paddle.io import DataLoader, Dataset

from train.data.order import BatchOrder, Key
from train.data.pairs import Pairs
from zoo.errors import ZooError
from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer

PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
TRIES = 100  # pictures that can't be read, one after the other, before the data set is given up


class Sample(NamedTuple):
    """float32 [3, height, width]; int64 [L]; int64 [2]: how many pictures could not be read on the
    way, and the first one's index, or -1. After TRIES of them the arrays hold nothing."""

    pixels: NDArray[np.float32]
    tokens: NDArray[np.int64]
    bad: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What makes arrays of a picture and its caption."""

    preprocess: Preprocess
    tokenizer: Tokenizer
    seed: int


class PairDataset(Dataset):
    """Samples by key. A key's arrays are the same in every process that asks for them.

    A picture that can't be read is replaced by another one, drawn from the whole data set.
    """

    def __init__(self, pairs: Pairs, inputs: Inputs) -> None:
        super().__init__()
        self._pairs = pairs
        self._inputs = inputs

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, key: Key) -> Sample:
        epoch, index = key
        random = np.random.default_rng([self._inputs.seed, epoch, index])
        first = -1
        for bad in range(TRIES):
            try:
                image = open_image(self._pairs.paths[index])
                pixels = self._inputs.preprocess.train(image, rng=random)
            except ZooError:
                first = index if first < 0 else first
                index = int(random.integers(len(self._pairs)))
            else:
                tokens = self._inputs.tokenizer(self._pairs.captions[index])[0]
                return Sample(pixels, tokens, np.array([bad, first]))
        # An error here would reach the main process without its message.
        nothing = np.zeros((3, *self._inputs.preprocess.spec.size), np.float32)
        return Sample(nothing, self._inputs.tokenizer("")[0], np.array([TRIES, first]))

    def why(self, index: int) -> str:
        """What is wrong with a picture that could not be read."""
        try:
            open_image(self._pairs.paths[index])
        except ZooError as error:
            return str(error)
        return self._pairs.paths[index]


def load(dataset: PairDataset, order: BatchOrder, *, workers: int) -> DataLoader:
    """Batches in their order, read ahead by ``workers`` processes."""
    return DataLoader(
        dataset,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=end_with_parent,
    )


def end_with_parent(worker: int) -> None:
    """A reader of a rank that was killed would wait for it for ever."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def collate(samples: Sequence[Sample]) -> list[NDArray[Any]]:
    return [np.stack(arrays) for arrays in zip(*samples, strict=True)]
