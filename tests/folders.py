"""What a folder holds."""

from __future__ import annotations

from pathlib import Path

CHECKPOINT = ["config.json", "model.safetensors", "provenance.json"]  # a converted one's


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
