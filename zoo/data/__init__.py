"""The files the wheel carries; README.md beside this module lists each with origin and digest."""

from __future__ import annotations

from pathlib import Path

BUNDLED = "tiny-digits"  # the checkpoint in tiny/, and the digits it was not trained on


def path(name: str) -> Path:
    """Where the data file or folder of this name lies, e.g. ``imagenet_classes.json``."""
    from importlib.resources import files  # not for whoever only wants the name

    return Path(str(files(__name__).joinpath(name)))
