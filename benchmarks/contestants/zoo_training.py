"""A training step as train/ takes it, without data that has to be read."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.contestants.serve import Works
from zoo.runtime import import_paddle
from zoo.speed.product import product


def prepare(folder: str, plain: bool = False) -> Works:
    """
    Args:
        folder: a converted checkpoint.
        plain: with Paddle's own linear layers.
    """
    paddle = import_paddle()
    from train.arguments import parse
    from train.engine import Engine
    from train.groups import parameter_groups
    from train.loss import ContrastiveLoss
    from train.optimizer import Optimizer
    from train.start import build, find_start
    from train.topology import find_topology
    from zoo.models.linear import Linear
    from zoo.talk import Silence

    if plain:
        setattr(Linear, "forward", paddle.nn.Linear.forward)  # noqa: B010
    words = ("--model", f"{folder}", "--output_dir", "unused", "--learning_rate", "1e-6")
    arguments = parse([*words, "--weight_decay", "0.2", "--max_grad_norm", "0"])
    topology = find_topology(arguments)
    model = build(find_start(arguments, Silence()), arguments)
    optimizer = Optimizer(parameter_groups(model, arguments), arguments, topology)
    loss = ContrastiveLoss(topology=topology, local_loss=False, gather_with_grad=False)
    engine = Engine(model, loss, topology)

    def step(batch: Any) -> Any:
        pixels, tokens = (paddle.to_tensor(batch[key]) for key in ("pixels", "tokens"))
        found = engine.backward(pixels, tokens, pieces=1, seed=0)
        optimizer.step(arguments.learning_rate)
        with paddle.no_grad():
            model.logit_scale.clip_(0.0, math.log(100))
        return float(found)

    return {"step": step, "product": product()}
