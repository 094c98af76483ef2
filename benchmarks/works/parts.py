"""What one block of the image tower spends its time on, every core in use: each part by itself, in
the kernels that eager mode calls, beside the matrix product of the same run. What is not a product
is what could still be won."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.results import Case
from zoo.speed.product import GFLOP

TITLE = "Parts of a block"
MODELS = ("ViT-B-32", "ViT-L-14")
BATCHES = {"ViT-B-32": 32}
BATCH = 8  # of the other models
ROUNDS = 5
PRODUCTS = ("q, k, v and out", "MLP, up", "MLP, down", "scores", "weighted values")
OTHERS = ("softmax", "activation", "two norms", "two residuals")


def cases(bench: Bench, model: str) -> Iterator[Case]:
    spec = bench.checkpoints.spec(model)
    assert spec.vision is not None
    tower, batch = spec.vision, BATCHES.get(model, BATCH)
    parts = bench.start(
        "zoo_parts",
        rows=batch,
        tokens=tower.tokens,
        width=tower.width,
        heads=tower.heads,
        mlp=tower.mlp_width,
        activation=tower.activation,
    )
    case = bench.race(
        f"{model}, batch {batch}",
        "ms",
        {name: parts.turn(name) for name in (*PRODUCTS, *OTHERS)},
        ours=(*PRODUCTS, *OTHERS),
        rounds=ROUNDS,
        limits={"matrix product, Paddle": ("GFLOP", parts.turn("product", units=GFLOP))},
    )
    rows, width = batch * tower.tokens, tower.width
    linear = 2e-9 * rows * width * (4 * width + 2 * tower.mlp_width)
    attention = 4e-9 * rows * tower.tokens * width
    least = (linear + attention) / case.limits[0].rate
    cost = {name: case.find(name).middle for name in (*PRODUCTS, *OTHERS)}
    whole = sum(cost.values())
    others = ", ".join(f"{name} {100 * cost[name] / whole:.1f} %" for name in OTHERS)
    inner = (cost["scores"] + cost["weighted values"]) / whole
    products = sum(cost[name] for name in PRODUCTS) / whole
    case.note = (
        f"The block takes {1000 * whole:.1f} ms, of which products are {100 * products:.1f} % "
        f"(attention's own {100 * inner:.1f} %), {others}. At the speed of the matrix product, and "
        f"with all else for nothing, it would be {whole / least:.2f} × as fast."
    )
    yield case
