"""One replica's batches in turn, and what there is to know of them."""

from __future__ import annotations

from collections.abc import Iterator

from paddle import Tensor

from train.data.bad import BadSamples
from train.data.places import Place, Stream


class Feed:
    """Batches, the bad samples met on the way, and where a stream's readers are behind them.

    Args:
        batches: of Samples, or of a stream's.
        bad: told of what could not be used.
        stream: where the batches go on; None: they are not of a stream.
        rank: this replica.
        done: steps that earlier runs did.
    """

    def __init__(
        self,
        batches: Iterator[list[Tensor]],
        bad: BadSamples,
        stream: Stream | None = None,
        *,
        rank: int = 0,
        done: int = 0,
    ) -> None:
        self.bad = bad
        self.stream = stream
        self.places = list(stream.places[rank]) if stream else []
        self._batches = batches
        self._next = done - stream.began if stream else 0

    def take(self) -> tuple[Tensor, Tensor]:
        """The next batch's pixels and tokens.

        Raises:
            DatasetError: a sample found no picture at all.
        """
        pixels, tokens, bad, *places = next(self._batches)
        self.bad.note(bad.numpy())
        for found in places:
            # The readers take turns; what they have read ahead is not yet behind them.
            self.places[self._next % len(self.places)] = Place(*found[-1].tolist())
            self._next += 1
        return pixels, tokens
