"""From the start of Python to a model, its preprocessing and its tokenizer, ready to encode:
`zoo.load` of a converted checkpoint beside open_clip's `create_model_and_transforms` of its own
file. Imports are included."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.results import Case, Target
from benchmarks.turns import command

TITLE = "Loading"
MODELS = ("ViT-B-32", "ViT-L-14")
AT_LEAST = 2.0
OURS = "import sys, zoo; zoo.load(sys.argv[1])"
THEIRS = """
import sys
from zoo.verify.reference.libraries import open_clip
open_clip.create_model_and_transforms("local-dir:" + sys.argv[1])
open_clip.get_tokenizer("local-dir:" + sys.argv[1])
"""
IMPORTS = {
    "import paddle": "from zoo.runtime import import_paddle; import_paddle()",
    "import open_clip": "import zoo.verify.reference.libraries",
}


def cases(bench: Bench, model: str) -> Iterator[Case]:
    native, source = bench.checkpoints.native(model), bench.checkpoints.source(model)
    weights = native / "model.safetensors"
    gigabytes = weights.stat().st_size / 1e9
    cat = command("cat", weights)
    yield bench.race(
        model,
        "s",
        {
            "zoo.load": command(sys.executable, "-c", OURS, native),
            "open_clip": command(sys.executable, "-c", THEIRS, source),
            **{name: command(sys.executable, "-c", code) for name, code in IMPORTS.items()},
        },
        ours={"zoo.load", "import paddle"},
        baseline="open_clip",
        targets=[Target(ours="zoo.load", over=["open_clip"], at_least=AT_LEAST)],
        rounds=4,
        limits={"cat": ("GB", lambda: cat() / gigabytes)},
        amount=gigabytes,
        against="GB",
        size=gigabytes,
    )
