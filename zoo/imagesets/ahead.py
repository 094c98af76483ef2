"""Pictures read, hashed, decoded and preprocessed by a few processes, a little ahead of their use.

The processes are spawned, since a framework's threads do not survive a fork, and each watches its
parent: none is left behind by one that was killed.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from zoo.errors import ZooError
from zoo.imagesets.imageset import Picture
from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.spec import PreprocessSpec

Batch = Sequence[Picture]
AHEAD = 2  # batches that wait for each process
# Niceness: whoever takes a core from one thread of a matrix product makes the others wait for it.
BEHIND = 10


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A batch ready for the image tower.

    ``pixels`` is float32 [readable, 3, height, width]: pictures with a problem have none.
    ``digests`` is the sha256 of every picture's bytes, None where they can't be had.
    """

    pixels: NDArray[np.float32]
    digests: tuple[str | None, ...]
    problems: tuple[str | None, ...]


def prepare_batch(batch: Batch, spec: PreprocessSpec) -> Prepared:
    """Reads and preprocesses a batch; what can't be read is told, and left out."""
    preprocess = Preprocess(spec)
    pixels: list[NDArray[np.float32]] = []
    digests: list[str | None] = []
    problems: list[str | None] = []
    for picture in batch:
        digest = problem = None
        try:
            data = picture.stored.read()
            digest = hashlib.sha256(data).hexdigest()
            pixels.append(preprocess(open_image(picture.name, data)))
        except ZooError as error:
            problem = f"{error.name}: {error.what}"
        digests.append(digest)
        problems.append(problem)
    shape = (0, 3, *spec.size)
    return Prepared(
        pixels=np.stack(pixels) if pixels else np.empty(shape, np.float32),
        digests=tuple(digests),
        problems=tuple(problems),
    )


def digest_of(picture: Picture) -> str | None:
    """The sha256 of a picture's bytes; None where they can't be had."""
    try:
        return hashlib.sha256(picture.stored.read()).hexdigest()
    except ZooError:
        return None


def prepared(batches: Iterable[Batch], spec: PreprocessSpec, *, workers: int) -> Iterator[Prepared]:
    """Every batch in turn.

    Args:
        batches: what to prepare.
        spec: how.
        workers: processes that do it; 0: this one.
    """
    if not workers:
        yield from (prepare_batch(batch, spec) for batch in batches)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_watch_parent) as pool:
        waiting = iter(batches)
        coming: deque[Future[Prepared]] = deque()
        try:
            for batch in islice(waiting, workers * AHEAD):
                coming.append(pool.submit(prepare_batch, batch, spec))
            while coming:
                ready = coming.popleft().result()
                for batch in islice(waiting, 1):
                    coming.append(pool.submit(prepare_batch, batch, spec))
                yield ready
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _watch_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to answer
    os.nice(BEHIND)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def follow() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()
