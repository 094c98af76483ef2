"""One rank of test_ranks.py: gradients of a batch and weights after some steps, several ways.

rank.py OUT STEPS CASE...     CASE is NAME=DTYPE,SHARDING,LOCAL,GATHER,PIECES
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from train.arguments import parse
from zoo.runtime import import_paddle

paddle = import_paddle()

from train.engine import Engine  # noqa: E402
from train.groups import parameter_groups  # noqa: E402
from train.loss import ContrastiveLoss  # noqa: E402
from train.optimizer import Optimizer, clip_gradients  # noqa: E402
from train.topology import find_topology  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
from zoo.spec import native  # noqa: E402

BATCH = 8
FLAGS = [
    *("--model=m", "--output_dir=o", "--learning_rate=1e-4", "--visual_lr=2e-4"),
    *("--weight_decay=0.1", "--max_grad_norm=0.5"),
]


def whole_batch(step: int, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels [8, 3, 16, 16] and tokens [8, 9], texts of different lengths."""
    random = np.random.default_rng(step)
    pixels = random.normal(0, 1, (BATCH, 3, 16, 16)).astype(dtype)
    tokens = random.integers(1, 95, (BATCH, 9))
    for row, end in enumerate(random.integers(1, 9, BATCH)):
        tokens[row, end] = 96
        tokens[row, end + 1 :] = 0
    return pixels, tokens


def run(case: str, steps: int, out: Path) -> None:
    name, _, values = case.partition("=")
    dtype, sharding, local, gather, pieces = values.split(",")
    words = (f"--sharding_parallel_degree={sharding}", f"--local_loss={local}")
    arguments = parse([*FLAGS, *words, f"--gather_with_grad={gather}"])
    topology = find_topology(arguments)
    loss = ContrastiveLoss(
        topology=topology,
        local_loss=arguments.local_loss,
        gather_with_grad=arguments.gather_with_grad,
    )
    # Ranks that begin with other weights take the first one's.
    model = initialize(CLIP(native.read(out / "config.json")), topology.rank)
    model.to(dtype=dtype)
    optimizer = Optimizer(parameter_groups(model, arguments), arguments, topology)
    engine = Engine(model, loss, topology)
    part = slice(
        topology.rank * BATCH // topology.world, (topology.rank + 1) * BATCH // topology.world
    )
    arrays: dict[str, np.ndarray] = {}
    losses = []
    for step in range(steps):
        batch = [paddle.to_tensor(array[part]) for array in whole_batch(step, dtype)]
        own = engine.backward(*batch, pieces=int(pieces), seed=step)
        losses.append(engine.total(float(own))[0] / topology.world)
        if step == 0:
            gradients = {n: p.grad.numpy() for n, p in optimizer.parameters.items()}
            arrays |= {f"gradient.{n}": gradient for n, gradient in gradients.items()}
        norm = clip_gradients(optimizer.parameters.values(), arguments.max_grad_norm)
        optimizer.step(arguments.learning_rate)
    arrays |= {f"weight.{n}": p.numpy() for n, p in optimizer.parameters.items()}
    arrays |= {f"state.{n}": array for n, array in optimizer.state().items()}
    arrays |= {"losses": np.array(losses), "norm": np.array([norm])}
    save_file(arrays, out / f"{name}-{topology.rank}.safetensors")


if __name__ == "__main__":
    if find_topology(parse(FLAGS)).world > 1:
        paddle.distributed.init_parallel_env()
    for word in sys.argv[3:]:
        run(word, int(sys.argv[2]), Path(sys.argv[1]))
