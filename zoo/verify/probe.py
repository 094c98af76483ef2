"""The pictures and texts on which parity and pipeline are measured, whatever the model."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from zoo import data
from zoo.verify.evidence import MeasuredOn

_TEXTS = "texts.json"


@dataclass(frozen=True, kw_only=True)
class Probe:
    """Files ``images`` in their names' order, and ``texts``."""

    folder: Path
    images: tuple[Path, ...]
    texts: tuple[str, ...]

    def digests(self) -> dict[str, str]:
        """The sha256 of each file, by name."""
        files = (*self.images, self.folder / _TEXTS)
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def load_probe() -> Probe:
    """The probe that comes with zoo."""
    folder = data.path("probe")
    texts = json.loads((folder / _TEXTS).read_text(encoding="utf-8"))
    images = sorted(path for path in folder.iterdir() if path.name != _TEXTS)
    return Probe(folder=folder, images=tuple(images), texts=tuple(texts))


def on_probe(*, images: int, texts: int) -> MeasuredOn:
    """What a rung was measured on, when it was the whole probe; a missing tower takes none."""
    counts = {"images": images, "texts": texts}
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    return MeasuredOn(name=f"probe: {listed}", items=images + texts, whole=True)
