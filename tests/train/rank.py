"""One rank of test_ranks.py: gradients of a batch and weights after some steps, several ways.

rank.py OUT STEPS CASE...     CASE is NAME=DTYPE,SHARDING,STAGE,TENSOR,LOCAL,GATHER,PIECES
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from train.arguments import parse
from zoo.runtime import import_paddle

paddle = import_paddle()

from train import processes  # noqa: E402
from train.engine import Engine  # noqa: E402
from train.groups import parameter_groups  # noqa: E402
from train.loss import ContrastiveLoss  # noqa: E402
from train.optimizer import Optimizer  # noqa: E402
from train.stage2 import make_shards  # noqa: E402
from train.tensor_parallel import merge, split  # noqa: E402
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
    dtype, sharding, stage, tensor, local, gather, pieces = values.split(",")
    degrees = (
        *(f"--sharding_parallel_degree={sharding}", f"--sharding={stage}"),
        f"--tensor_parallel_degree={tensor}",
    )
    losses = (f"--local_loss={local}", f"--gather_with_grad={gather}")
    arguments = parse([*FLAGS, *degrees, *losses])
    topology = find_topology(arguments)
    processes.start(topology)
    loss = ContrastiveLoss(
        topology=topology,
        local_loss=arguments.local_loss,
        gather_with_grad=arguments.gather_with_grad,
    )
    # Replicas that begin with other weights take the first one's.
    model = initialize(CLIP(native.read(out / "config.json")), topology.replica)
    model.to(dtype=dtype)
    model = split(model, topology)
    optimizer = Optimizer(parameter_groups(model, arguments), arguments, topology)
    engine = Engine(model, loss, topology, shards=make_shards(arguments, topology, optimizer))
    part = slice(
        topology.replica * BATCH // topology.replicas,
        (topology.replica + 1) * BATCH // topology.replicas,
    )
    arrays: dict[str, np.ndarray] = {}
    curve = []
    for step in range(steps):
        batch = [paddle.to_tensor(array[part]) for array in whole_batch(step, dtype)]
        own = engine.backward(*batch, pieces=int(pieces), seed=step)
        curve.append(engine.total(float(own))[0] / topology.replicas)
        if step == 0:
            arrays |= {
                f"gradient.{n}": merge(p.grad, p, topology).numpy()
                for n, p in optimizer.parameters.items()
                if p.grad is not None  # another rank's
            }
        norm = optimizer.clip(arguments.max_grad_norm)
        optimizer.step(arguments.learning_rate)
    arrays |= {
        f"weight.{n}": merge(p.detach(), p, topology).numpy()
        for n, p in optimizer.parameters.items()
    }
    arrays |= {f"state.{n}": array for n, array in optimizer.state().items()}
    arrays |= {"losses": np.array(curve), "norm": np.array([norm])}
    save_file(arrays, out / f"{name}-{topology.rank}.safetensors")


if __name__ == "__main__":
    for word in sys.argv[3:]:
        run(word, int(sys.argv[2]), Path(sys.argv[1]))
