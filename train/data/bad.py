"""Samples that could not be read: counted, and the first ones named."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from train.data.samples import TRIES
from train.report import tell
from zoo.cli.output import printable
from zoo.errors import DatasetError

NAMED = 20  # bad samples that are told one by one


class BadSamples:
    """What one rank met.

    Args:
        why: what is wrong with the sample of an index.
    """

    def __init__(self, why: Callable[[int], str]) -> None:
        self.count = 0
        self._why = why

    def note(self, bad: NDArray[np.int64]) -> None:
        """Takes the ``bad`` of a batch of Samples, [B, 2].

        Raises:
            DatasetError: a sample found no picture at all.
        """
        for count, first in bad[bad[:, 0] > 0]:
            if count >= TRIES:
                raise DatasetError(
                    f"{TRIES} pictures in a row can't be read, the first: {self._why(int(first))}",
                    remedy="Does --image_root name the folder that the paths start from?",
                )
            if self.count < NAMED:
                tell(f"left out: {printable(self._why(int(first)))}")
            self.count += int(count)
