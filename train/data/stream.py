"""Samples from many files as a stream: shared out over ranks and their workers, in a new order at
every pass, without end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice, repeat
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from paddle.io import DataLoader, IterableDataset, get_worker_info

from train.data.places import START, Place, Stream
from train.data.records import Records
from train.data.samples import TRIES, Inputs, collate, end_with_parent
from zoo.errors import ZooError

SHUFFLED = 1000  # samples that are drawn from, so that neighbours part
_RECORDS = 1 << 40  # a bad sample's index is its file's times this, plus its number there


class StreamSample(NamedTuple):
    """A Sample, and int64 [4]: the Place of its reader once it is drawn."""

    pixels: NDArray[np.float32]
    tokens: NDArray[np.int64]
    bad: NDArray[np.int64]
    place: NDArray[np.int64]


class Waiting(NamedTuple):
    """A record of a pass, which knows what Place knows of its file."""

    file: int
    first: int
    number: int
    record: Any


GONE = Waiting(-1, 0, -1, None)  # in place of a record that was drawn before


class RecordDataset(IterableDataset):
    """One replica's stream of samples; one that can't be used is left out and counted.

    Args:
        source: the files.
        inputs: what makes arrays.
        stream: where it goes on.
        rank: this replica.
        done: steps that earlier runs did: whose turn is next.
    """

    def __init__(
        self, source: Records, inputs: Inputs, stream: Stream, *, rank: int, done: int
    ) -> None:
        super().__init__()
        self._source = source
        self._inputs = inputs
        self._places = stream.places[rank]
        self._readers = stream.ranks * stream.workers
        self._first = rank * stream.workers
        self._next = done - stream.began
        self._seed = [inputs.seed, stream.began]

    def __iter__(self) -> Iterator[StreamSample]:
        worker = get_worker_info()
        turn = (self._next + (worker.id if worker else 0)) % len(self._places)
        reader, place = self._first + turn, self._places[turn]
        passes = self._source.passes(self._seed, reader, self._readers)
        bad, first = 0, -1
        for number, files in enumerate(islice(passes, place.number, None), place.number):
            seed = [*self._seed, reader, number]
            order = _shuffled(self._waiting(files, place), np.random.default_rng(seed))
            used = place.drawn  # a place is always behind a sample that was used
            coming = islice(order, place.drawn, None)
            for drawn, (entry, oldest) in enumerate(coming, place.drawn + 1):
                try:
                    pixels, tokens = self._arrays(
                        entry.record, np.random.default_rng([*seed, drawn])
                    )
                except ZooError:
                    bad, first = bad + 1, first if bad else entry.number
                else:
                    found = np.array([min(bad, TRIES - 1), first])
                    yield StreamSample(pixels, tokens, found, np.array([number, drawn, *oldest]))
                    bad, first, used = 0, -1, used + 1
            if not used:
                nothing = np.zeros((3, *self._inputs.preprocess.spec.size), np.float32)
                tokens = self._inputs.tokenizer("")[0]
                yield StreamSample(nothing, tokens, np.array([TRIES, first]), np.array(START))
            place = START

    def why(self, index: int) -> str:
        """What is wrong with a sample."""
        file, number = divmod(index, _RECORDS)
        where = f"{self._source.paths[file]}, sample {number + 1}"
        for entry in self._waiting([file], START):
            if entry.number == index:
                try:
                    self._arrays(entry.record, np.random.default_rng(0))
                except ZooError as error:
                    return f"{where}: {error.what}"
        return where

    def _waiting(self, files: Sequence[int], place: Place) -> Iterator[Waiting]:
        """The records of a pass; where a file breaks off, the error is its last one."""
        yield from repeat(GONE, place.first)
        count = place.first
        for file, at in enumerate(files[place.file :], place.file):
            first = count
            for number, record in enumerate(self._records(self._source.paths[at])):
                yield Waiting(file, first, at * _RECORDS + number, record)
                count += 1

    def _records(self, path: Path) -> Iterator[Any]:
        try:
            yield from self._source.records(path)
        except ZooError as error:
            yield error

    def _arrays(
        self, record: Any, random: Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        if isinstance(record, ZooError):
            raise record
        caption, image = self._source.decode(record)
        pixels = self._inputs.preprocess.train(image, rng=random)
        return pixels, self._inputs.tokenizer(caption)[0]


def _shuffled(
    records: Iterator[Waiting], random: Generator
) -> Iterator[tuple[Waiting, tuple[int, int]]]:
    """Every record once, each drawn from the next SHUFFLED; with it, the file and the first record
    there of the oldest that still waits."""
    waiting: list[Waiting] = []
    files: Counter[tuple[int, int]] = Counter()  # in the order in which they are read
    for record in records:
        files[record[:2]] += 1
        if len(waiting) < SHUFFLED:
            waiting.append(record)
        else:
            place = int(random.integers(SHUFFLED))
            waiting[place], record = record, waiting[place]
            files[record[:2]] -= 1
            if not files[record[:2]]:
                del files[record[:2]]
            yield record, next(iter(files))
    for place in random.permutation(len(waiting)):
        yield waiting[place], next(iter(files))  # of all of them, since they are the last


def stream(dataset: RecordDataset, *, batch: int, workers: int) -> DataLoader:
    """Batches without end, read ahead by ``workers`` processes."""
    return DataLoader(
        dataset,
        batch_size=batch,
        num_workers=workers,
        collate_fn=collate,
        worker_init_fn=end_with_parent,
    )
