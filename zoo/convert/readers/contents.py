"""What a reader finds in one file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from zoo.convert.readers.pieces import Stored


@dataclass(frozen=True, kw_only=True)
class Contents:
    """The tensors in file order, and what else there is: its name and a word on what it is."""

    format: str
    layouts: Mapping[str, Stored]
    ignored: Mapping[str, str] = field(default_factory=dict)
