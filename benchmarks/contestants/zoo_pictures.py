"""A zero-shot run's pictures and its image tower, each alone and together as they run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.contestants.serve import Works
from zoo.deploy.encoder import open_encoder
from zoo.imagesets.ahead import prepared
from zoo.imagesets.imageset import Picture
from zoo.imagesets.tree import Stored
from zoo.verify.evaluation import BATCH, workers_for


def prepare(folder: str, photographs: str) -> Works:
    """
    Args:
        folder: a converted checkpoint, or programs of one.
        photographs: a folder with nothing else.
    """
    encoder = open_encoder(Path(folder))
    spec = encoder.spec.preprocess
    assert spec is not None
    paths = sorted(Path(photographs).iterdir())
    stored = [Stored(path=path, offset=0, size=path.stat().st_size) for path in paths]
    pictures = [Picture(name=one.path.name, label=0, stored=one) for one in stored]
    batches = [pictures[at : at + BATCH] for at in range(0, len(pictures), BATCH)]
    workers = workers_for(len(pictures))
    assert workers  # else nothing is prepared ahead
    (first,) = prepared(batches[:1], spec, workers=0)

    def alone(_: Any) -> None:
        for _ in prepared(batches, spec, workers=workers):
            pass

    def model(_: Any) -> None:
        for _ in batches:
            encoder.encode_image(first.pixels)

    def together(_: Any) -> None:
        for ready in prepared(batches, spec, workers=workers):
            encoder.encode_image(ready.pixels)

    return {"pictures": alone, "model": model, "together": together}
