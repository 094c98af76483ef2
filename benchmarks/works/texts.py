"""Features of token ids, 64 texts of one length at a time. zoo cuts a batch to its longest text;
open_clip, and what is exported from it, takes 77 positions whatever is in them, and so does
PaddleNLP as it is called here. Errors are relative RMS against open_clip in float64."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Exact
from benchmarks.cost import text_gflop
from benchmarks.inputs import texts
from benchmarks.peers import (
    DEPLOYED,
    EAGER,
    OURS,
    REFERENCE,
    feature_contestants,
    product_limits,
    turns,
)
from benchmarks.results import Case, Target

TITLE = "Text features"
MODELS = ("ViT-B-32",)
BATCH = 64
LENGTHS = (8, 16, 32, 77)
CHECKED = 16  # the length that errors are measured at


def cases(bench: Bench, model: str) -> Iterator[Case]:
    spec = bench.checkpoints.spec(model)
    files = {n: texts(bench.folder / f"tokens-{n}.npy", BATCH, n) for n in LENGTHS}
    exact = Exact(bench, model, "texts", files[CHECKED], axis=1)
    contestants = feature_contestants(bench, model, "text")
    for length, given in files.items():
        case = bench.race(
            f"{model}, length {length}",
            "texts/s",
            turns(contestants, "texts", given, BATCH),
            ours=OURS,
            baseline=REFERENCE,
            targets=[
                Target(ours=name, over=[REFERENCE], in_band=True)
                for name in (EAGER, DEPLOYED)
                if length == CHECKED
            ],
            rounds=3,
            limits=product_limits(contestants),
            amount=text_gflop(spec, length),
            against=f"length, {model}",
            size=length,
        )
        if length == CHECKED:
            exact.judge(case, contestants)
        yield case
