"""Samples from many files as a stream: shared out over ranks and their workers, in a new order at
every pass, without end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from paddle.io import DataLoader, IterableDataset, get_worker_info

from train.data.records import Records
from train.data.samples import TRIES, Inputs, Sample, collate
from zoo.errors import ZooError

SHUFFLED = 1000  # samples that are drawn from, so that neighbours part
_RECORDS = 1 << 40  # a bad sample's index is its file's times this, plus its number there


class RecordDataset(IterableDataset):
    """One rank's stream of samples; one that can't be used is left out and counted.

    Args:
        source: the files.
        inputs: what makes arrays.
        rank: this one.
        ranks: of the job.
        workers: processes of each rank, or 0.
        done: steps that earlier runs did: the stream begins anew then, in another order.

    Raises:
        DatasetError: there are fewer files than processes to read them.
    """

    def __init__(
        self, source: Records, inputs: Inputs, *, rank: int, ranks: int, workers: int, done: int
    ) -> None:
        super().__init__()
        self._source = source
        self._inputs = inputs
        self._readers = ranks * max(workers, 1)
        self._first = rank * max(workers, 1)
        self._seed = [inputs.seed, done]
        source.passes(self._seed, self._first, self._readers)

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        reader = self._first + (worker.id if worker else 0)
        random = np.random.default_rng([*self._seed, reader])
        bad, first = 0, -1
        for files in self._source.passes(self._seed, reader, self._readers):
            used = 0
            for index, record in _shuffled(self._records(files), random):
                try:
                    pixels, tokens = self._arrays(record, random)
                except ZooError:
                    bad, first = bad + 1, first if bad else index
                else:
                    yield Sample(pixels, tokens, np.array([min(bad, TRIES - 1), first]))
                    bad, first, used = 0, -1, used + 1
            if not used:
                nothing = np.zeros((3, *self._inputs.preprocess.spec.size), np.float32)
                yield Sample(nothing, self._inputs.tokenizer("")[0], np.array([TRIES, first]))

    def why(self, index: int) -> str:
        """What is wrong with a sample."""
        file, number = divmod(index, _RECORDS)
        where = f"{self._source.paths[file]}, sample {number + 1}"
        for found, record in self._records([file]):
            if found == index:
                try:
                    self._arrays(record, np.random.default_rng(0))
                except ZooError as error:
                    return f"{where}: {error.what}"
        return where

    def _records(self, files: Iterable[int]) -> Iterator[tuple[int, Any]]:
        """Samples with their indices; where a file breaks off, the error is its last one."""
        for file in files:
            number = 0
            try:
                for record in self._source.records(self._source.paths[file]):
                    yield file * _RECORDS + number, record
                    number += 1
            except ZooError as error:
                yield file * _RECORDS + number, error

    def _arrays(
        self, record: Any, random: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if isinstance(record, ZooError):
            raise record
        caption, image = self._source.decode(record)
        pixels = self._inputs.preprocess.train(image, rng=random)
        return pixels, self._inputs.tokenizer(caption)[0]


def _shuffled(records: Iterator[tuple[int, Any]], random: Generator) -> Iterator[tuple[int, Any]]:
    """Every record once, each drawn from the next SHUFFLED."""
    waiting: list[tuple[int, Any]] = []
    for record in records:
        if len(waiting) < SHUFFLED:
            waiting.append(record)
        else:
            place = int(random.integers(SHUFFLED))
            waiting[place], record = record, waiting[place]
            yield record
    for place in random.permutation(len(waiting)):
        yield waiting[place]


def stream(dataset: RecordDataset, *, batch: int, workers: int) -> DataLoader:
    """Batches without end, read ahead by ``workers`` processes."""
    return DataLoader(dataset, batch_size=batch, num_workers=workers, collate_fn=collate)
