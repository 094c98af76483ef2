"""Opening what ``zoo convert`` wrote."""

from __future__ import annotations

from pathlib import Path

from zoo.convert.readers import Checkpoint, open_checkpoint
from zoo.convert.writer import INDEX_NAME, WEIGHTS_NAME


def open_native(folder: Path) -> Checkpoint:
    """The tensors of a converted checkpoint, in one file or in shards.

    Raises:
        ZooError: what ``open_checkpoint`` raises.
    """
    index = folder / INDEX_NAME
    return open_checkpoint(index if index.is_file() else folder / WEIGHTS_NAME)
