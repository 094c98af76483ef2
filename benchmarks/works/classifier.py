"""The zero-shot classifier of 100 ImageNet classes in 80 templates, tokenizing included. open_clip
encodes class by class, 80 prompts padded to 77, so that its time per prompt does not depend on how
many classes there are: it does the first 5 of the 100. Errors are relative RMS of the first 2
columns, against open_clip in float64."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import Bench, Exact
from benchmarks.checkpoints import save_json
from benchmarks.peers import DEPLOYED, EAGER, OURS, REFERENCE, deployed, or_why, turns
from benchmarks.results import Case, Target
from zoo.imagesets.imagenet import class_names, templates

TITLE = "Zero-shot classifier"
MODELS = ("ViT-B-32",)
CLASSES, THEIR_CLASSES, CHECKED = 100, 5, 2
AT_LEAST = 10.0


def cases(bench: Bench, model: str) -> Iterator[Case]:
    made = bench.checkpoints
    source = str(made.source(model))
    contestants = {
        EAGER: bench.start("zoo_eager", folder=str(made.native(model))),
        DEPLOYED: or_why(lambda: deployed(bench, model)),
        REFERENCE: bench.start("torch_model", folder=source),
    }
    ours, theirs, few = (_words(bench.folder, n) for n in (CLASSES, THEIR_CLASSES, CHECKED))
    exact = Exact(bench, model, "classifier", few, axis=0)
    prompts = len(templates())
    case = bench.race(
        f"{model}, {CLASSES} classes",
        "prompts/s",
        turns(contestants, "classifier", ours, CLASSES * prompts)
        | turns({REFERENCE: contestants[REFERENCE]}, "classifier", theirs, THEIR_CLASSES * prompts),
        ours=OURS,
        baseline=REFERENCE,
        targets=[
            Target(ours=DEPLOYED, over=[REFERENCE], at_least=AT_LEAST),
            Target(ours=EAGER, over=[REFERENCE], at_least=AT_LEAST),
            *(Target(ours=name, over=[REFERENCE], in_band=True) for name in (DEPLOYED, EAGER)),
        ],
        rounds=2,
        warm_up=False,  # a turn is long enough
    )
    exact.judge(case, contestants)
    yield case


def _words(folder: Path, classes: int) -> Path:
    words = {"names": class_names()[:classes], "templates": templates()}
    return save_json(folder / f"words-{classes}.json", words)
