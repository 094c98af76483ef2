"""Arguments that several commands take."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from zoo.spec import CLIPSpec

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


def size(text: str) -> int:
    """Bytes of ``5GB``, ``500MB``, ``1GiB``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?i?B)", text, re.IGNORECASE)
    count = 0 if match is None else int(float(match[1]) * UNITS[match[2].upper()])
    if count <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 5GB, 500MB and 1GiB are")
    return count


def architecture(text: str) -> CLIPSpec:
    """open_clip's architecture of this name, or of a JSON file with its model configuration.

    Raises:
        ConfigError, FormatError, NotFoundError: there is none.
    """
    from zoo.manifest import registry
    from zoo.spec import open_clip

    if text.endswith(".json"):
        return open_clip.read(Path(text))
    return registry().architecture(text)
