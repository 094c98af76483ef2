"""Where zoo keeps what it made: ``$ZOO_HOME``, by default ``~/.cache/zoo``."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """The cache's folder; it need not exist."""
    return Path(os.environ.get("ZOO_HOME") or "~/.cache/zoo").expanduser()


def model_folder(model: str, source_digest: str, dtype: str) -> Path:
    """Where a converted model lies: it can't be mistaken for one of other weights or type."""
    return home() / "models" / model / f"{source_digest[:12]}-{dtype}"


def converted(model: str) -> list[Path]:
    """The converted checkpoints of a model, newest first."""
    folders = (home() / "models" / model).glob("*/provenance.json")
    ordered = sorted(folders, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path.parent for path in ordered if not path.parent.name.startswith(".")]


def all_converted() -> list[Path]:
    """Every converted checkpoint in the cache, in the order of their paths."""
    found = sorted((home() / "models").glob("**/provenance.json"))
    return [path.parent for path in found if not path.parent.name.startswith(".")]
