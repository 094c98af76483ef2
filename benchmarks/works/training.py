"""One step: both towers forwards and backwards, the contrastive loss, AdamW over two groups, the
clamp of the logit scale; float32, random pictures, captions of 8 to 19 tokens. zoo's step is
train/'s; open_clip's is written after its own training script, with its loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.bench import Bench
from benchmarks.cost import image_gflop, text_gflop
from benchmarks.peers import REFERENCE, product_limits
from benchmarks.results import Case, Target
from zoo.inputs import bpe

TITLE = "Training step"
MODELS = ("ViT-B-32",)
BATCHES = (16, 64)
CONTEXT = 77
SHORTEST, LONGEST = 8, 19  # tokens of a caption
AT_LEAST = 1.4


def cases(bench: Bench, model: str) -> Iterator[Case]:
    native = str(bench.checkpoints.native(model))
    source = str(bench.checkpoints.source(model))
    spec = bench.checkpoints.spec(model)
    assert spec.vision is not None
    processes = {
        "zoo": bench.start("zoo_training", folder=native),
        "open_clip": bench.start("torch_training", folder=source),
    }
    draw = np.random.default_rng(0)
    for batch in BATCHES:
        lengths = draw.integers(SHORTEST, LONGEST + 1, batch)
        tokens = draw.integers(1, bpe.START, (batch, CONTEXT))
        tokens[np.arange(CONTEXT) >= lengths[:, None]] = 0
        tokens[:, 0] = bpe.START
        tokens[np.arange(batch), lengths - 1] = bpe.END
        pixels = draw.standard_normal((batch, 3, *spec.vision.image_size), dtype=np.float32)
        given = bench.folder / f"pairs-{batch}.npz"
        np.savez(given, pixels=pixels, tokens=tokens)
        yield bench.race(
            f"{model}, batch {batch}",
            "pairs/s",
            {name: process.turn("step", given, units=batch) for name, process in processes.items()},
            ours={"zoo"},
            baseline="open_clip",
            targets=[Target(ours="zoo", over=["open_clip"], at_least=AT_LEAST)],
            rounds=3,
            limits=product_limits(
                {"zoo, eager": processes["zoo"], REFERENCE: processes["open_clip"]}
            ),
            # Backwards takes twice what forwards does.
            amount=3 * (image_gflop(spec) + text_gflop(spec, int(lengths.mean()))),
            against=f"batch, {model}",
            size=batch,
        )
