"""Who computes features, and where the others' environment is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.contestant import Process
from benchmarks.turns import Turn, TurnError
from zoo.speed.product import GFLOP

PADDLENLP = Path(".venv-paddlenlp/bin/python")
EAGER, REFERENCE = "zoo, eager", "open_clip, eager"
DEPLOYED, HALF = "zoo, deployed", "zoo, deployed, bfloat16"
COMPILED = "open_clip, torch.compile"
OURS = (EAGER, DEPLOYED, HALF)
Contestants = dict[str, Process | TurnError]


def feature_contestants(bench: Bench, architecture: str, tower: str) -> Contestants:
    """Everyone who computes features of a tower (image or text), or why one can't.

    bfloat16 is for images: it makes texts slower.
    """
    made = bench.checkpoints
    native, source = made.native(architecture), str(made.source(architecture))
    image = tower == "image"
    makers: dict[str, Callable[[], Process] | None] = {
        EAGER: lambda: bench.start("zoo_eager", folder=str(native)),
        DEPLOYED: lambda: deployed(bench, architecture),
        HALF: (lambda: deployed(bench, architecture, precision="bfloat16")) if image else None,
        REFERENCE: lambda: bench.start("torch_model", folder=source),
        COMPILED: lambda: bench.start("torch_model", folder=source, compiled=True),
        "ONNX Runtime": lambda: bench.start("onnx_model", path=str(made.onnx(architecture, tower))),
        "OpenVINO": lambda: bench.start("openvino_model", path=str(made.onnx(architecture, tower))),
        "OpenVINO, bfloat16": (
            lambda: bench.start(
                "openvino_model", path=str(made.onnx(architecture, tower)), precision="bf16"
            )
        )
        if image
        else None,
        "PaddleNLP, as installed": lambda: _paddlenlp(bench, architecture),
    }
    return {name: or_why(make) for name, make in makers.items() if make is not None}


def turns(
    contestants: Contestants, work: str, given: Path, units: float
) -> dict[str, Turn | TurnError]:
    """A turn for each that does ``work`` on a file; the cost is seconds per unit."""
    return {
        name: one.turn(work, given, units=units) if isinstance(one, Process) else one
        for name, one in contestants.items()
    }


def product_limits(contestants: Mapping[str, Process | TurnError]) -> dict[str, tuple[str, Turn]]:
    """The matrix product of both frameworks, in the contestants' own processes."""
    return {
        f"matrix product, {framework}": ("GFLOP", process.turn("product", units=GFLOP))
        for framework, name in (("Paddle", EAGER), ("torch", REFERENCE))
        if isinstance(process := contestants.get(name), Process)
    }


def or_why(make: Callable[[], Process]) -> Process | TurnError:
    """A contestant, or why there is none: one that can't be made costs its own row only."""
    try:
        return make()
    except TurnError as error:
        return error


def deployed(bench: Bench, architecture: str, **options: str) -> Process:
    """What runs on Paddle Inference."""
    folder = str(bench.checkpoints.exported(architecture, "inference"))
    return bench.start("zoo_deployed", folder=folder, **options)


def _paddlenlp(bench: Bench, architecture: str) -> Process:
    if not PADDLENLP.exists():
        raise TurnError("not run: its environment is missing (make .venv-paddlenlp/.done)")
    folder = str(bench.checkpoints.exported(architecture, "paddlenlp"))
    return bench.start("paddlenlp_model", python=PADDLENLP, folder=folder)
