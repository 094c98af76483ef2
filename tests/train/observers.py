"""What can be seen of a command line: tables that test_flags.py compares."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zoo.runtime import import_paddle

paddle = import_paddle()

from train import loop, report  # noqa: E402
from train.arguments import parse  # noqa: E402
from train.data.find import find_data  # noqa: E402
from train.data.samples import Inputs  # noqa: E402
from train.flags import Arguments  # noqa: E402
from train.groups import parameter_groups  # noqa: E402
from train.loss import ContrastiveLoss  # noqa: E402
from train.optimizer import Optimizer  # noqa: E402
from train.plan import make_plan  # noqa: E402
from train.precision import find_loss_scale, find_precision  # noqa: E402
from train.start import build, describe, find_start  # noqa: E402
from train.topology import Topology, find_topology  # noqa: E402
from zoo.errors import UsageError  # noqa: E402
from zoo.inputs.preprocess import Preprocess  # noqa: E402
from zoo.inputs.tokenizer import Tokenizer  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402
from zoo.talk import Silence  # noqa: E402

VISUAL = {"visual.conv1.weight", "visual.ln_pre.bias", "visual.ln_post.bias"}
TEXT = {"token_embedding.weight", "transformer.resblocks.0.ln_1.bias", "ln_final.bias"}
MATRICES = {"visual.conv1.weight", "token_embedding.weight"}
ALONE = Topology(rank=0, data=1, sharding=1)
Seen = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class World:
    """What observers use."""

    base: list[str]  # a command line that trains the small model for four steps
    pictures: Path
    spec: CLIPSpec
    batch: tuple[np.ndarray, np.ndarray]
    place: Path

    def arguments(self, words: list[str]) -> Arguments:
        return parse([*self.base, *words])


def starts(world: World, words: list[str]) -> Seen:
    arguments = world.arguments(words)
    start = find_start(arguments, Silence())
    model = build(start, arguments)
    weights = dict(model.named_parameters())
    return {
        "shape": start.spec,
        "weights": [float(p.abs().sum()) for p in weights.values()],
        "trained": [name for name, p in weights.items() if not p.stop_gradient],
        "recomputing": (model.transformer.recompute, model.visual.transformer.recompute),
        "first line": describe(start, arguments),
    }


def finds(world: World, words: list[str]) -> Seen:
    found = find_data(world.arguments(words))
    return {"kind": type(found)} | {f.name: getattr(found, f.name) for f in fields(found)}


def plans(world: World, words: list[str]) -> Seen:
    return asdict(make_plan(world.arguments(words), ALONE, samples=40))


def plans_a_stream(world: World, words: list[str]) -> Seen:
    return asdict(make_plan(world.arguments(words), ALONE, samples=None))


def shares_out(world: World, words: list[str]) -> Seen:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PADDLE_TRAINERS_NUM", "4")
        return asdict(find_topology(world.arguments(words)))


def steps(world: World, words: list[str]) -> Seen:
    """Which weights two steps of the optimizer move elsewhere, by gradients that are given."""
    arguments = world.arguments(words)
    model = initialize(CLIP(world.spec), 3)
    optimizer = Optimizer(parameter_groups(model, arguments), arguments, ALONE)
    for step in range(2):
        random = np.random.default_rng(step)
        for _, parameter in sorted(optimizer.parameters.items()):
            gradient = random.normal(0, 1, parameter.shape).astype(np.float32)
            parameter.grad = paddle.to_tensor(gradient)
        optimizer.clip(arguments.max_grad_norm)
        optimizer.step(arguments.learning_rate)
    weights = {name: p.numpy() for name, p in model.named_parameters()}
    return {name: weights[name] for name in ("logit_scale", *VISUAL, *TEXT)}


def loads(world: World, words: list[str]) -> Seen:
    arguments = world.arguments(words)
    start = find_start(arguments, Silence())
    data = find_data(arguments)
    plan = make_plan(arguments, ALONE, samples=40)
    run = SimpleNamespace(arguments=arguments, topology=ALONE, plan=plan)
    inputs = Inputs(
        preprocess=Preprocess(start.spec.preprocess), tokenizer=Tokenizer(9), seed=arguments.seed
    )
    feed = loop._feed(run, data, inputs)
    pixels, tokens = feed.take()
    return {
        "processes": len(multiprocessing.active_children()),
        "pixels": pixels.tolist(),
        "tokens": tokens.tolist(),
    }


def loses(world: World, words: list[str]) -> Seen:
    """What a loss of two ranks is, or why there is none."""
    arguments = world.arguments(words)
    try:
        loss = ContrastiveLoss(
            topology=Topology(rank=0, data=2, sharding=1),
            local_loss=arguments.local_loss,
            gather_with_grad=arguments.gather_with_grad,
        )
    except UsageError as error:
        return {"refused": str(error), "loss": None}
    return {"refused": None, "loss": (loss.local_loss, loss.gather_with_grad)}


def computes(world: World, words: list[str]) -> Seen:
    """What the towers would compute in, on a device that can."""
    arguments = world.arguments(words)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paddle.device, "get_device", lambda: "gpu:0")
        patch.setattr(paddle.amp, "is_float16_supported", lambda: True)
        patch.setattr(paddle.amp, "is_bfloat16_supported", lambda: True)
        precision = asdict(find_precision(arguments))
    scale = find_loss_scale(arguments)
    return precision | {"scale": scale and scale.value}


def runs(world: World, words: list[str]) -> Seen:
    """A whole run: its files, its log, what it tells."""
    output = world.place / f"run{len(list(world.place.iterdir()))}"
    arguments = parse([*world.base, "--output_dir", str(output), *words])
    lines: list[str] = []
    batches: list[int] = []
    evaluate = loop.evaluate

    def evaluated(*args: Any, **options: Any) -> dict[str, float]:
        batches.append(options["batch"])
        return evaluate(*args, **options)

    class Terminal:
        def isatty(self) -> bool:
            return True

        def write(self, text: str) -> None:
            lines.append(text)

        def flush(self) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "evaluate", evaluated)
        patch.setattr(report.sys, "stderr", Terminal())
        loop.train(arguments, ALONE, words, Silence())
    output = Path(arguments.output_dir)
    files = [path.relative_to(output).as_posix() for path in output.rglob("*")]
    log = (output / "log.jsonl").read_text() if "log.jsonl" in files else ""
    entries = [json.loads(line) for line in log.splitlines()]
    return {
        "checkpoints": sorted(name for name in files if "/" not in name and "checkp" in name),
        "averages": [name for name in files if name.endswith("/ema")],
        "written for": {name.split(".")[0] for name in files if name.startswith("runs/")},
        "logged": [entry["step"] for entry in entries if "loss" in entry],
        "evaluated": [entry["step"] for entry in entries if entry.get("event") == "zero-shot"],
        "label": [entry["label"] for entry in entries if "label" in entry],
        "batches": batches,
        "redrawn": "".join(lines).count(report.ERASE) > "".join(lines).count("\n"),
        "elsewhere": arguments.logging_dir and len(list(Path(arguments.logging_dir).iterdir())),
        "begun at": next((entry["step"] for entry in entries if "loss" in entry), None),
    }


Observer = Callable[[World, list[str]], Seen]
