"""zoo as ``zoo export --to inference`` writes it: Paddle Inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.contestants.serve import Works
from zoo.deploy import folder as programs
from zoo.deploy.predictor import Predictor


def prepare(folder: str, tower: str, bfloat16: bool = False) -> Works:
    place = Path(folder)
    record = programs.read(place)
    program = getattr(record, tower)
    predictor = Predictor(place, program, bfloat16=bfloat16)

    def run(values: Any) -> Any:
        return predictor(values)

    return {"images" if tower == "image" else "texts": run}
