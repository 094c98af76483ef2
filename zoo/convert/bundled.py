"""The checkpoint that comes with zoo: a small CLIP of handwritten digits, made by open_clip."""

from __future__ import annotations

from pathlib import Path

from zoo.convert.run import Options, convert
from zoo.convert.source import find_source
from zoo.data import BUNDLED
from zoo.talk import Talk


def bundled_checkpoint(talk: Talk) -> Path:
    """Its converted form in the cache, converted now where it is not there yet."""
    source = find_source(BUNDLED)
    assert source.path is not None
    return convert(source, source.path, None, Options(command=("zoo", "convert", BUNDLED)), talk)
