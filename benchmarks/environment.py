"""What figures depend on: processor, versions of everyone who takes part, the commit."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

from zoo.runtime import read_processor
from zoo.verify.environment import describe, installed

# In the order in which results.json keeps them, so that old rows and new ones say it alike.
PACKAGES = (
    "numpy",
    "onnxruntime",
    "open_clip_torch",
    "openvino",
    "paddlepaddle",
    "torch",
    "transformers",
)


@cache
def environment() -> dict[str, Any]:
    found = describe()
    processor = read_processor()
    return {
        "processor": found["processor"],
        "cores": processor.cores if processor else found["cores"],
        "python": found["python"],
        "packages": {name: version for name in PACKAGES if (version := installed(name))},
        "commit": _commit(),
    }


def _commit() -> str | None:
    """The checkout's, with a plus where files differ from it."""
    try:
        words = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty=+")
        return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
