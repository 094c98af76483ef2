"""How fast a training's data comes: photographs of COCO's usual size, read, decoded and cropped by
train/'s loader in so many processes, beside the step that takes them. A training should not have to
wait for its data."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
from PIL import Image

from benchmarks.bench import Bench
from benchmarks.results import Case, Target
from zoo.inputs import bpe
from zoo.verify.probe import load_probe

TITLE = "Data for training"
MODELS = ("ViT-B-32",)
BATCH, PICTURES = 16, 256
SIZE = (640, 480)
WORKERS = (0, 1, 2)
AT_LEAST = 2.0


def cases(bench: Bench, model: str) -> Iterator[Case]:
    folder = bench.folder / "photographs"
    folder.mkdir(exist_ok=True)
    photographs = [Image.open(path).convert("RGB").resize(SIZE) for path in load_probe().images]
    annotations = []
    for number in range(PICTURES):
        name = f"{number}.jpg"
        photographs[number % len(photographs)].save(folder / name, quality=92)
        annotations.append({"image": name, "caption": f"a photograph, number {number}"})
    (folder / "pairs.json").write_text(json.dumps(annotations))
    draw = np.random.default_rng(0)
    size = bench.checkpoints.spec(model).vision.image_size  # type: ignore[union-attr]
    pixels = draw.standard_normal((BATCH, 3, *size), dtype=np.float32)
    tokens = np.tile([bpe.START, *range(300, 310), bpe.END, *[0] * 65], (BATCH, 1))
    given = bench.folder / "pairs.npz"
    np.savez(given, pixels=pixels, tokens=tokens)
    step = bench.start("zoo_training", folder=str(bench.checkpoints.native(model)))
    loaders = {
        f"loader, {workers} workers": bench.start(
            "zoo_data",
            architecture=model,
            annotations=str(folder / "pairs.json"),
            batch=BATCH,
            workers=workers,
        )
        for workers in WORKERS
    }
    yield bench.race(
        f"{model}, batch {BATCH}",
        "pairs/s",
        {name: loader.turn("read", None, units=PICTURES) for name, loader in loaders.items()}
        | {"training step": step.turn("step", given, units=BATCH)},
        ours={*loaders, "training step"},
        baseline="training step",
        targets=[Target(ours=name, over=["training step"], at_least=AT_LEAST) for name in loaders],
        rounds=3,
    )
