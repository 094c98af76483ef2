"""Features of preprocessed pictures, the same float32 arrays for everyone. zoo: eager, as
`zoo.load` gives it, and deployed, as `zoo export --to inference` writes it, in float32 and in
bfloat16. Beside it: open_clip, eager and through `torch.compile`; ONNX Runtime and OpenVINO on the
same weights, exported from open_clip's model by torch; PaddleNLP's CLIPModel. Everyone with its own
choice of threads; the compiler, which begins anew for every batch, for one of them. Errors are
relative RMS against open_clip in float64."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench, Exact
from benchmarks.cost import image_gflop
from benchmarks.inputs import pictures
from benchmarks.peers import (
    COMPILED,
    DEPLOYED,
    EAGER,
    HALF,
    OURS,
    REFERENCE,
    feature_contestants,
    product_limits,
    turns,
)
from benchmarks.results import Case, Target

TITLE = "Image features"
MODELS = ("ViT-B-32", "ViT-L-14")
BATCHES = {"ViT-B-32": (1, 8, 32, 64)}
BATCH = 8  # of the other models
JUDGED = {"ViT-B-32": 32}  # the batch that is held to float64, and that is compiled for
ROUNDS = {"ViT-B-32": 4}
CHECKED = 4  # pictures that errors are measured on
FASTER = {"ViT-B-32": 2.0, "ViT-L-14": 1.5}
BFLOAT16 = {"ViT-L-14": 2.5}
BEHIND = 0.95  # of the better of ONNX Runtime and OpenVINO


def cases(bench: Bench, model: str) -> Iterator[Case]:
    spec = bench.checkpoints.spec(model)
    checked = pictures(bench.folder / f"checked-{model}.npy", spec, CHECKED)
    exact = Exact(bench, model, "images", checked, axis=1)
    contestants = feature_contestants(bench, model, "image")
    for batch in BATCHES.get(model, (BATCH,)):
        given = pictures(bench.folder / f"batch-{batch}-{model}.npy", spec, batch)
        judged = batch == JUDGED.get(model, BATCH)
        racing = {name: one for name, one in contestants.items() if judged or name != COMPILED}
        case = bench.race(
            f"{model}, batch {batch}",
            "images/s",
            turns(racing, "images", given, batch),
            ours=OURS,
            baseline=REFERENCE,
            targets=[*_fast(model), *(_exact() if judged else ())],
            rounds=ROUNDS.get(model, 2),
            limits=product_limits(contestants),
            amount=image_gflop(spec),
            against=f"batch, {model}",
            size=batch,
        )
        if judged:
            exact.judge(case, contestants)
        yield case


def _exact() -> Iterator[Target]:
    for name in (EAGER, DEPLOYED):
        yield Target(ours=name, over=[REFERENCE], in_band=True)


def _fast(model: str) -> Iterator[Target]:
    yield Target(ours=DEPLOYED, over=[REFERENCE], at_least=FASTER.get(model, 1.0))
    if model == "ViT-B-32":
        yield Target(ours=DEPLOYED, over=["ONNX Runtime", "OpenVINO"], at_least=BEHIND)
    if model in BFLOAT16:
        yield Target(ours=HALF, over=[REFERENCE], at_least=BFLOAT16[model])
