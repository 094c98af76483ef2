"""Where the readers of a stream are, so that a run that goes on reads what would have come."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from train.data.records import Records
from zoo.files import canonical_json


class Place(NamedTuple):
    """``drawn`` records of a reader's pass are drawn. Those that wait to be drawn are in its
    ``file``-th file or later ones; that file's first record is the ``first``-th of the pass."""

    number: int  # of the pass
    drawn: int
    file: int
    first: int


START = Place(0, 0, 0, 0)


class Stream(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stream that began at a step, and where each replica's readers are in it."""

    began: int
    order: str  # a digest of what the order follows from
    places: list[list[Place]]

    @property
    def ranks(self) -> int:
        return len(self.places)

    @property
    def workers(self) -> int:
        """Readers of each replica, which have their turns one after the other."""
        return len(self.places[0])


def find_stream(
    source: Records, stored: Stream | None, *, seed: int, done: int, ranks: int, workers: int
) -> Stream:
    """The stream of a checkpoint, or one that begins anew, in another order.

    Only the same files, replicas and workers can go on where those of the checkpoint ended.

    Args:
        source: the files.
        stored: the checkpoint's.
        seed: of the order.
        done: steps that earlier runs did.
        ranks: replicas.
        workers: readers of each.

    Raises:
        DatasetError: there are fewer files than readers.
    """

    def order(began: int) -> str:
        first = next(source.passes([seed, began], 0, ranks * workers))
        content = [[path.name for path in source.paths], list(first)]
        return hashlib.sha256(canonical_json(content)).hexdigest()

    if (
        stored is not None
        and (stored.ranks, stored.workers) == (ranks, workers)
        and stored.order == order(stored.began)
    ):
        return stored
    return Stream(began=done, order=order(done), places=[[START] * workers] * ranks)
