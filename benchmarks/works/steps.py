"""What each step towards speed brings: zoo as it is, beside zoo with that one step undone. Figures
of ViT-B-32; what was expected of a step stands below its table."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.checkpoints import save_json
from benchmarks.inputs import CONTEXT, captions, pairs, pictures, texts
from benchmarks.results import Case
from benchmarks.turns import Turn, command
from zoo.imagesets.imagenet import class_names, templates

TITLE = "Steps"
MODELS = ("ViT-B-32",)
WITH, WITHOUT = "zoo", "without"
BATCH, TEXTS, LENGTH = 16, 64, 16
ROUNDS = 3

# Variables as they are where zoo sets none.
NO_PATH = {"MKL_DEBUG_CPU_TYPE": ""}
NO_THREADS = {"OMP_NUM_THREADS": "1"}
AT_ONCE = {"FLAGS_eager_delete_tensor_gb": "0"}
FORGET = {"MALLOC_TRIM_THRESHOLD_": str(128 * 2**10), "MALLOC_MMAP_MAX_": "65536"}

CONVERT = "import sys; from zoo.cli import main; sys.exit(main(sys.argv[1:]))"
WHOLE = "import zoo.convert.chunks as chunks; chunks.BLOCK = 2**31;"
ALONE = "import zoo.convert.stream as stream; stream.THREADS = 1;"
LOAD = "import sys, zoo; zoo.load(sys.argv[1])"
DRAWN = (
    "from contextlib import nullcontext; from zoo.runtime import import_paddle;"
    "import_paddle().LazyGuard = nullcontext;"
)


def cases(bench: Bench, model: str) -> Iterator[Case]:
    yield from _eager(bench, model)
    yield from _deployed(bench, model)
    yield from _convert(bench, model)
    native = bench.checkpoints.native(model)
    yield _case(
        bench,
        "loading: layers without weights of their own",
        "s",
        command(sys.executable, "-c", LOAD, native),
        command(sys.executable, "-c", DRAWN + LOAD, native),
        "Expected: the time that drawing 151 million numbers takes.",
    )
    yield _training(bench, model)
    prompts = [t.replace("{}", name) for name in class_names()[:250] for t in templates()]
    given = save_json(bench.folder / "prompts.json", prompts)
    tokenizer = bench.start("zoo_tokenizer")
    yield _case(
        bench,
        "tokenizing: a cache of chunks, and no mending of plain text",
        "prompts/s",
        tokenizer.turn("tokenize", given, units=len(prompts)),
        tokenizer.turn("tokenize without", given, units=len(prompts)),
        "Expected: 14 times open_clip's speed from an empty cache, 2.2 times with the mending.",
    )


def _eager(bench: Bench, model: str) -> Iterator[Case]:
    pixels = pictures(bench.folder / "pixels.npy", bench.checkpoints.spec(model), BATCH)
    tokens = texts(bench.folder / "tokens.npy", TEXTS, LENGTH)
    folder = str(bench.checkpoints.native(model))
    zoo = bench.start("zoo_eager", folder=folder)

    def without(environment: Mapping[str, str]) -> Turn:
        other = bench.start("zoo_eager", environment=environment, folder=folder)
        return other.turn("images", pixels, units=BATCH)

    images = zoo.turn("images", pixels, units=BATCH)
    for title, environment, expected in (
        ("images: MKL's path for the processor", NO_PATH, "4 times, on AMD with AVX-512"),
        ("images: a thread for each core", NO_THREADS, "1.9 times on two cores"),
        ("images: freed memory is kept", FORGET, "a page fault less per 4 KiB of activations"),
    ):
        yield _case(
            bench, title, "images/s", images, without(environment), f"Expected: {expected}."
        )
    whole = bench.start("zoo_variant", folder=folder, variant="every token in the last block")
    yield _case(
        bench,
        "images: the last block for one token",
        "images/s",
        images,
        whole.turn("images", pixels, units=BATCH),
        "Expected: 1.07 times; 10 of the last of 12 blocks' 12 square products are for one token.",
    )
    yield _case(
        bench,
        f"texts of {LENGTH} tokens: cut at the end",
        "texts/s",
        zoo.turn("texts", tokens, units=TEXTS),
        zoo.turn("texts uncut", tokens, units=TEXTS),
        f"Expected: {CONTEXT / LENGTH:.1f} times, the share of positions that are left.",
    )


def _deployed(bench: Bench, model: str) -> Iterator[Case]:
    """Of one picture and of one text: freeing costs time for each tensor, however small."""
    pixels = pictures(bench.folder / "pixel.npy", bench.checkpoints.spec(model), 1)
    tokens = texts(bench.folder / "token.npy", 1, LENGTH)
    folder = str(bench.checkpoints.exported(model, "inference"))
    zoo = bench.start("zoo_deployed", folder=folder)
    without = bench.start("zoo_deployed", environment=AT_ONCE, folder=folder)
    for kind, given in (("images", pixels), ("texts", tokens)):
        yield _case(
            bench,
            f"{kind}, deployed, one at a time: tensors freed together",
            f"{kind}/s",
            zoo.turn(kind, given, units=1),
            without.turn(kind, given, units=1),
            "Expected: 1.05 times; so much of a core was the freeing thread's.",
        )


def _training(bench: Bench, model: str) -> Case:
    given = pairs(bench.folder / "pairs.npz", bench.checkpoints.spec(model), captions(BATCH))
    folder = str(bench.checkpoints.native(model))
    zoo, plain = (bench.start("zoo_training", folder=folder, plain=p) for p in (False, True))
    return _case(
        bench,
        f"training, batch {BATCH}: a bias's gradient is a product",
        "pairs/s",
        zoo.turn("step", given, units=BATCH),
        plain.turn("step", given, units=BATCH),
        "Expected: 1.1 times; sums over rows took a tenth of a step.",
    )


def _convert(bench: Bench, model: str) -> Iterator[Case]:
    out: Path = bench.folder / "out"

    def convert(before: str = "") -> Turn:
        words = ("convert", bench.checkpoints.weights(model), "--out", out, "-q")
        return command(
            *(sys.executable, "-c", before + CONVERT, *words),
            prepare=lambda: shutil.rmtree(out, ignore_errors=True),
        )

    for title, before, expected in (
        ("converting: matrices transposed in blocks", WHOLE, "1.7 times"),
        ("converting: two threads", ALONE, "2 times on two cores"),
    ):
        yield _case(bench, title, "s", convert(), convert(before), f"Expected: {expected}.")


def _case(bench: Bench, title: str, unit: str, zoo: Turn, without: Turn, note: str) -> Case:
    return bench.race(
        title,
        unit,
        {WITH: zoo, WITHOUT: without},
        ours=(WITH, WITHOUT),
        baseline=WITHOUT,
        rounds=ROUNDS,
        note=note,
    )
