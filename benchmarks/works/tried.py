"""What was tried for the towers' speed and not taken, beside zoo as it is: eager, and through
Paddle Inference. Errors of images are relative RMS against open_clip in float64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.bench import Bench, Exact
from benchmarks.contestant import Process
from benchmarks.inputs import pictures, texts
from benchmarks.results import Case
from zoo.deploy.folder import Program, declare

TITLE = "Tried and not taken"
MODELS = ("ViT-B-32", "ViT-L-14")
BATCHES = {"ViT-B-32": 16}
BATCH = 8  # of the other models
TEXTS, LENGTH = 64, 16
CHECKED = 4  # pictures that errors are measured on
ROUNDS = 3
WITH = "zoo"

EAGER = (
    "one product for q, k and v",
    "residual and norm in one kernel",
    "patches by a product",
    "static graph",
    "Paddle's own attention",
)
ONE_PRODUCT = EAGER[0]
SINGLE = {  # of one picture, for which every weight is read
    "memory in large pages": {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"},
    "no tensor freed": {"FLAGS_eager_delete_tensor_gb": "-1"},
}
WHOSE = {"onednn": "every product oneDNN's", "paddle": "every product Paddle's own"}


def cases(bench: Bench, model: str) -> Iterator[Case]:
    batch = BATCHES.get(model, BATCH)
    spec = bench.checkpoints.spec(model)
    given = pictures(bench.folder / f"pictures-{model}.npy", spec, batch)
    checked = pictures(bench.folder / f"checked-{model}.npy", spec, CHECKED)
    exact = Exact(bench, model, "images", checked, axis=1)
    eager = {name: {"variant": name} for name in EAGER}
    record = declare(spec, paddle="", logit_scale=None)
    assert record.image is not None and record.text is not None
    for way, options in (("eager", eager), ("deployed", _programs(record.image))):
        contestants = _contestants(bench, model, way, options)
        title = f"{model}, images, batch {batch}, {way}"
        case = _race(bench, title, "images", given, batch, contestants)
        exact.judge(case, contestants)
        yield case
        for process in contestants.values():  # side by side they would not fit into memory
            process.close()
    if model == "ViT-B-32":
        yield _single(bench, model)
    given = texts(bench.folder / f"texts-{model}.npy", TEXTS, LENGTH)
    options = {name: {**o, "tower": "text"} for name, o in _programs(record.text).items()}
    contestants = _contestants(bench, model, "texts", options)
    title = f"{model}, texts of {LENGTH} tokens, deployed"
    yield _race(bench, title, "texts", given, TEXTS, contestants)


def _single(bench: Bench, model: str) -> Case:
    given = pictures(bench.folder / f"picture-{model}.npy", bench.checkpoints.spec(model), 1)
    folder = str(bench.checkpoints.exported(model, "inference"))
    contestants = {
        name: bench.start("zoo_deployed", environment=environment, folder=folder)
        for name, environment in {WITH: {}, **SINGLE}.items()
    }
    case = _race(bench, f"{model}, images, batch 1, deployed", "images", given, 1, contestants)
    for process in contestants.values():
        process.close()
    return case


def _programs(zoo: Program) -> dict[str, dict[str, Any]]:
    (other,) = {*WHOSE} - {zoo.products}
    # Where products are Paddle's own, programs have blocks on rows, which know three products.
    variants = {ONE_PRODUCT: {"variant": ONE_PRODUCT}} if zoo.products == "onednn" else {}
    return {**variants, WHOSE[other]: {"products": other}}


def _contestants(
    bench: Bench, model: str, way: str, options: dict[str, dict[str, Any]]
) -> dict[str, Process]:
    folder = str(bench.checkpoints.native(model))

    def start(number: int, given: dict[str, Any]) -> Process:
        place = None if way == "eager" else str(bench.folder / f"{model}-{way}-{number}")
        return bench.start("zoo_variant", folder=folder, programs=place, **given)

    everyone = {WITH: {}, **options}
    return {name: start(n, given) for n, (name, given) in enumerate(everyone.items())}


def _race(
    bench: Bench,
    title: str,
    work: str,
    given: Any,
    units: int,
    contestants: dict[str, Process],
) -> Case:
    return bench.race(
        title,
        f"{work}/s",
        {name: one.turn(work, given, units=units) for name, one in contestants.items()},
        ours=contestants,
        baseline=WITH,
        rounds=ROUNDS,
    )
