"""One step: both towers forwards and backwards, the contrastive loss, AdamW over two groups, the
clamp of the logit scale; float32, random pictures, captions of 8 to 19 tokens. zoo's step is
train/'s; open_clip's is written after its own training script, with its loss."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.cost import image_gflop, text_gflop
from benchmarks.inputs import captions, pairs
from benchmarks.peers import REFERENCE, product_limits
from benchmarks.results import Case, Target

TITLE = "Training step"
MODELS = ("ViT-B-32",)
BATCHES = (16, 64)
AT_LEAST = 1.4


def cases(bench: Bench, model: str) -> Iterator[Case]:
    native = str(bench.checkpoints.native(model))
    source = str(bench.checkpoints.source(model))
    spec = bench.checkpoints.spec(model)
    processes = {
        "zoo": bench.start("zoo_training", folder=native),
        "open_clip": bench.start("torch_training", folder=source),
    }
    for batch in BATCHES:
        tokens = captions(batch)
        given = pairs(bench.folder / f"pairs-{batch}.npz", spec, tokens)
        length = int((tokens.argmax(axis=1) + 1).mean())
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
            amount=3 * (image_gflop(spec) + text_gflop(spec, length)),
            against=f"batch, {model}",
            size=batch,
        )
