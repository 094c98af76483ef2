"""The zero-shot classifier of 100 ImageNet classes in 80 templates, tokenizing included. open_clip
encodes class by class, 80 prompts padded to 77, so that its time per prompt does not depend on how
many classes there are: it does the first 5 of the 100. Errors are relative RMS of the first 2
columns, against open_clip in float64."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, measure_errors
from benchmarks.checkpoints import save_json
from benchmarks.peers import DEPLOYED, EAGER, REFERENCE
from benchmarks.results import Case, Target
from zoo.imagesets.imagenet import class_names, templates

TITLE = "Zero-shot classifier"
MODELS = ("ViT-B-32",)
CLASSES, THEIR_CLASSES, CHECKED = 100, 5, 2
AT_LEAST = 10.0


def cases(bench: Bench, model: str) -> Iterator[Case]:
    made = bench.checkpoints
    source = str(made.source(model))
    processes = {
        EAGER: bench.start("zoo_eager", folder=str(made.native(model))),
        REFERENCE: bench.start("torch_model", folder=source),
    }
    all_of, their, few = (_words(bench.folder, n) for n in (CLASSES, THEIR_CLASSES, CHECKED))
    turns = {
        name: process.turn("classifier", their, units=THEIR_CLASSES * len(templates()))
        if name == REFERENCE
        else process.turn("classifier", all_of, units=CLASSES * len(templates()))
        for name, process in processes.items()
    }
    case = bench.race(
        f"{model}, {CLASSES} classes",
        "prompts/s",
        turns,
        ours=(EAGER, DEPLOYED),
        baseline=REFERENCE,
        targets=[Target(ours=EAGER, over=[REFERENCE], at_least=AT_LEAST)],
        rounds=3,
    )
    exact = bench.start("torch_model", folder=source, precision="float64")
    measure_errors(case, processes, exact, "classifier", few)
    yield case


def _words(folder: Path, classes: int) -> Path:
    words = {"names": class_names()[:classes], "templates": templates()}
    return save_json(folder / f"words-{classes}.json", words)
