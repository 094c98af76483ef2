"""How fast data comes: photographs of COCO's usual size, read, decoded and cropped by train/'s
loader in so many processes, beside the step that takes them; and read, digested, decoded and
resized as zero-shot does it, in the processes that it takes, beside the image tower. Neither should
have to wait for its data. They share the cores, so that a whole run is slower than its tower alone
by what the pictures take."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from benchmarks.bench import Bench
from benchmarks.inputs import captions, pairs
from benchmarks.results import Case, Target
from zoo.verify.probe import load_probe

TITLE = "Data for training and zero-shot"
MODELS = ("ViT-B-32",)
BATCH, PICTURES = 16, 512
SIZE = (640, 480)
WORKERS = (0, 1, 2)
AT_LEAST = 2.0


def cases(bench: Bench, model: str) -> Iterator[Case]:
    folder = bench.folder / "photographs"
    folder.mkdir(exist_ok=True)
    names = _photographs(folder)
    yield _training(bench, model, folder, names)
    yield _zero_shot(bench, model, folder, len(names))


def _photographs(folder: Path) -> list[str]:
    photographs = [Image.open(path).convert("RGB").resize(SIZE) for path in load_probe().images]
    names = [f"{number}.jpg" for number in range(PICTURES)]
    for number, name in enumerate(names):
        photographs[number % len(photographs)].save(folder / name, quality=92)
    return names


def _training(bench: Bench, model: str, folder: Path, names: list[str]) -> Case:
    annotations = bench.folder / "pairs.json"
    entries = [{"image": str(folder / name), "caption": f"a photograph, {name}"} for name in names]
    annotations.write_text(json.dumps(entries))
    given = pairs(bench.folder / "pairs.npz", bench.checkpoints.spec(model), captions(BATCH))
    step = bench.start("zoo_training", folder=str(bench.checkpoints.native(model)))
    loaders = {
        f"loader, {workers} workers": bench.start(
            "zoo_data",
            architecture=model,
            annotations=str(annotations),
            batch=BATCH,
            workers=workers,
        )
        for workers in WORKERS
    }
    return bench.race(
        f"{model}, batch {BATCH}",
        "pairs/s",
        {name: loader.turn("read", None, units=PICTURES) for name, loader in loaders.items()}
        | {"training step": step.turn("step", given, units=BATCH)},
        ours={*loaders, "training step"},
        baseline="training step",
        targets=[Target(ours=name, over=["training step"], at_least=AT_LEAST) for name in loaders],
        rounds=3,
    )


def _zero_shot(bench: Bench, model: str, folder: Path, count: int) -> Case:
    programs = str(bench.checkpoints.exported(model, "inference"))
    run = bench.start("zoo_pictures", folder=programs, photographs=str(folder))
    works = {"pictures alone": "pictures", "image tower alone": "model", "zero-shot": "together"}
    pictures, tower, _ = works
    return bench.race(
        f"{model}, zero-shot",
        "images/s",
        {name: run.turn(work, None, units=count) for name, work in works.items()},
        ours=works,
        baseline=tower,
        targets=[Target(ours=pictures, over=[tower], at_least=AT_LEAST)],
        rounds=3,
    )
