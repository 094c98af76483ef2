"""Samples from part files as a stream: shared out over ranks and their workers, in a new order at
every pass, without end.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import numpy as np
from numpy.random import Generator
from paddle.io import DataLoader, IterableDataset, get_worker_info

from train.data.parts import Parts, read_line
from train.data.samples import TRIES, Inputs, Sample, collate
from zoo.errors import DatasetError, ZooError

SHUFFLED = 1000  # lines that are drawn from, so that neighbours part
_LINES = 1 << 40  # a bad sample's index is its part's times this, plus its line's


class PartDataset(IterableDataset):
    """One rank's stream of samples; a line that can't be used is left out and counted.

    Args:
        parts: the files.
        inputs: what makes arrays.
        rank: this one.
        ranks: of the job.
        workers: processes of each rank, or 0.
        done: steps that earlier runs did: the stream begins anew then, in another order.

    Raises:
        DatasetError: there are fewer parts than processes to read them.
    """

    def __init__(
        self, parts: Parts, inputs: Inputs, *, rank: int, ranks: int, workers: int, done: int
    ) -> None:
        super().__init__()
        self._parts = parts
        self._inputs = inputs
        self._readers = ranks * max(workers, 1)
        self._first = rank * max(workers, 1)
        self._done = done
        if len(parts.paths) < self._readers:
            raise DatasetError(
                f"{len(parts.paths)} part files for {self._readers} processes that read them",
                remedy="Lower --dataloader_num_workers, or cut the parts smaller.",
            )

    def __iter__(self) -> Iterator[Sample]:
        worker = get_worker_info()
        reader = self._first + (worker.id if worker else 0)
        seed = [self._inputs.seed, self._done]
        own = np.random.default_rng([*seed, reader])
        bad, first, passes = 0, -1, 0
        while True:
            # Every process draws the same order, so that no part is read by two.
            order = np.random.default_rng([*seed, passes]).permutation(len(self._parts.paths))
            used = 0
            for index, line in _shuffled(self._lines(order[reader :: self._readers]), own):
                try:
                    pixels, tokens = self._arrays(line, own)
                except ZooError:
                    bad, first = bad + 1, first if bad else index
                else:
                    yield Sample(pixels, tokens, np.array([min(bad, TRIES - 1), first]))
                    bad, first, used = 0, -1, used + 1
            passes += 1
            if not used:
                nothing = np.zeros((3, *self._inputs.preprocess.spec.size), np.float32)
                yield Sample(nothing, self._inputs.tokenizer("")[0], np.array([TRIES, first]))

    def why(self, index: int) -> str:
        """What is wrong with a line."""
        part, number = divmod(index, _LINES)
        where = f"{self._parts.paths[part]}, line {number + 1}"
        for found, line in self._lines(np.array([part])):
            if found == index:
                try:
                    self._arrays(line, np.random.default_rng(0))
                except ZooError as error:
                    return f"{where}: {error.what}"
        return where

    def _lines(self, parts: np.ndarray) -> Iterator[tuple[int, bytes]]:
        for part in parts:
            path = self._parts.paths[part]
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                for number, line in enumerate(file):
                    yield int(part) * _LINES + number, line

    def _arrays(self, line: bytes, random: Generator) -> tuple[np.ndarray, np.ndarray]:
        caption, image = read_line(line)
        pixels = self._inputs.preprocess.train(image, rng=random)
        return pixels, self._inputs.tokenizer(caption)[0]


def _shuffled(lines: Iterator[tuple[int, bytes]], random: Generator) -> Iterator[tuple[int, bytes]]:
    """Every line once, each drawn from the next SHUFFLED."""
    waiting: list[tuple[int, bytes]] = []
    for line in lines:
        if len(waiting) < SHUFFLED:
            waiting.append(line)
        else:
            place = int(random.integers(SHUFFLED))
            waiting[place], line = line, waiting[place]
            yield line
    for place in random.permutation(len(waiting)):
        yield waiting[place]


def stream(dataset: PartDataset, *, batch: int, workers: int) -> DataLoader:
    """Batches without end, read ahead by ``workers`` processes."""
    return DataLoader(dataset, batch_size=batch, num_workers=workers, collate_fn=collate)
