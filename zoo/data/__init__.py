"""The files the wheel carries; README.md beside this module lists each with origin and digest."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def path(name: str) -> Path:
    """Where the data file or folder of this name lies, e.g. ``imagenet_classes.json``."""
    return Path(str(files(__name__).joinpath(name)))
