"""What a stream of samples reads from, and who reads which file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from zoo.errors import DatasetError

Draw = Iterator[Sequence[int]]


class Records(Protocol):
    """Files of samples: LAION's part files, webdataset's shards."""

    @property
    def paths(self) -> Sequence[Path]: ...

    def records(self, path: Path) -> Iterator[Any]:
        """The samples of a file as they are stored; a ZooError where it can be read no further."""
        ...

    def decode(self, record: Any) -> tuple[str, Image.Image]:
        """A sample's caption and picture; a ZooError where it can't be used."""
        ...

    def passes(self, seed: Sequence[int], reader: int, readers: int) -> Draw:
        """Without end, the files that one of the ``readers`` reads in a pass, by index."""
        ...


def without_overlap(files: int, seed: Sequence[int], reader: int, readers: int) -> Draw:
    """Every file is one reader's in every pass, in a new order.

    Raises:
        DatasetError: there are fewer files than readers.
    """
    if files < readers:
        raise DatasetError(
            f"{files} files for {readers} processes that read them",
            remedy="Lower --dataloader_num_workers, or cut the files smaller.",
        )
    # Every process draws the same order, so that no file is read by two.
    return (
        np.random.default_rng([*seed, number]).permutation(files)[reader::readers].tolist()
        for number in count()
    )
