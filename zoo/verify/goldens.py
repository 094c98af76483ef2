"""Tensors that one process leaves for another: a folder of ``.npy``, or goldens kept in a file.

Goldens are the reference's answer to ``zoo.verify.request.TapsRequest`` on the probe, for those
who have no torch. They are looked up by the sha256 of the weights they were made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from zoo import data
from zoo.convert.readers import open_checkpoint

Array = np.ndarray[Any, np.dtype[Any]]

TENSORS = "goldens.safetensors"
ORIGIN = "origin.json"


class Taps:
    """Named tensors, mapped from their files; TapsRequest describes the names."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self._arrays = arrays

    def keys(self) -> list[str]:
        """The names, sorted."""
        return sorted(self._arrays)

    def get(self, name: str) -> Array:
        """The tensor of this name.

        Raises:
            KeyError: there is none.
        """
        return self._arrays[name]


class Origin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What goldens were made from: digests are sha256."""

    weights: str
    probe: dict[str, str]  # digest of each file, by name
    environment: dict[str, Any]  # of the reference process


def open_taps(path: Path) -> Taps:
    """Opens a folder of ``.npy`` files, or a file of goldens.

    Raises:
        FormatError, TruncatedError, NotFoundError: what ``open_checkpoint`` raises of a file.
    """
    if path.is_dir():
        files = {file.relative_to(path).with_suffix(""): file for file in path.rglob("*.npy")}
        return Taps({key.as_posix(): np.load(file, mmap_mode="r") for key, file in files.items()})
    with open_checkpoint(path) as checkpoint:
        return Taps({name: checkpoint.tensor(name) for name in checkpoint.tensors})


def find_goldens(weights: str) -> tuple[Taps, Origin] | None:
    """The goldens that zoo carries for a weight file of this sha256."""
    for path in sorted(data.path("").glob(f"*/goldens/{ORIGIN}")):
        origin = msgspec.json.decode(path.read_bytes(), type=Origin)
        if origin.weights == weights:
            return open_taps(path.with_name(TENSORS)), origin
    return None
