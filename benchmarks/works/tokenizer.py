"""Every prompt of ImageNet's zero-shot protocol (1,000 names in 80 templates) to token ids, one
thread, the caches empty at the start of every turn."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from benchmarks.bench import Bench
from benchmarks.checkpoints import save_json
from benchmarks.results import Case, Target
from zoo.imagesets.imagenet import class_names, templates

TITLE = "Tokenizing"
MODELS = ()  # it takes none


def cases(bench: Bench, model: str) -> Iterator[Case]:
    prompts = [t.replace("{}", name) for name in class_names() for t in templates()]
    given = save_json(bench.folder / "prompts.json", prompts)
    ours, theirs = bench.start("zoo_tokenizer"), bench.start("torch_tokenizer")
    case = bench.race(
        f"{len(prompts):,} prompts",
        "prompts/s",
        {
            "zoo": ours.turn("tokenize", given, units=len(prompts)),
            "open_clip": theirs.turn("tokenize", given, units=len(prompts)),
        },
        ours={"zoo"},
        baseline="open_clip",
        targets=[Target(ours="zoo", over=["open_clip"], at_least=10)],
        rounds=5,
    )
    ids = [bench.folder / f"{who}-ids.npy" for who in ("zoo", "open_clip")]
    for process, path in zip((ours, theirs), ids, strict=True):
        process.do("tokenize", given, save=path)
    equal = np.array_equal(*map(np.load, ids))
    case.note = "All ids are equal." if equal else "THE IDS DIFFER."
    yield case
