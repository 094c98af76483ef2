"""Peak anonymous memory (RssAnon) of `zoo convert`, looked at every 10 ms, for every format that is
read (of large models: two). Mapped files do not count: the system takes them back when it needs
to."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.checkpoints import run
from benchmarks.results import Case, Target
from benchmarks.turns import Turn, TurnError
from tools import proofs
from zoo.convert import provenance

TITLE = "Memory of converting"
MODELS = ("ViT-L-14",)
AT_MOST = 400.0  # MB
LARGE = 3e9  # bytes; what is larger is not written in every format, for the disk's sake

EXPORTS = {"transformers": "hf", ".pdparams": "paddlemix"}
LAYOUTS = {"legacy .bin": "legacy", "shards": "shards"}  # of tools/layouts.py


def cases(bench: Bench, model: str) -> Iterator[Case]:
    made, digests = bench.checkpoints, set()

    def peak(source: Path) -> float:
        out = bench.folder / "memory"
        try:
            done = proofs.run("convert", str(source), "--out", str(out))
            digests.add(provenance.read(out).tensors_digest)
        except SystemExit as error:
            raise TurnError(str(error)) from error
        finally:
            shutil.rmtree(out, ignore_errors=True)
        return done.anonymous / 1e6

    def other_layout(layout: str) -> float:
        place = bench.folder / "layout"
        try:
            run([sys.executable, "-m", "tools.layouts", made.source(model), layout, place])
            return peak(place)
        finally:
            shutil.rmtree(place, ignore_errors=True)

    def exported(library: str) -> float:
        return peak(made.exported(model, library))

    turns: dict[str, Turn] = {
        "safetensors": lambda: peak(made.source(model)),
        "zip .bin": lambda: peak(made.source(model, "bin")),
    }
    small = made.weights(model).stat().st_size < LARGE
    for name, layout in LAYOUTS.items() if small else ():
        turns[name] = partial(other_layout, layout)
    for name, library in EXPORTS.items() if small else ():
        turns[name] = partial(exported, library)
    case = bench.race(
        model,
        "MB",
        turns,
        ours=turns,
        targets=[Target(ours=name, at_most=AT_MOST) for name in turns],
        rounds=1,
        warm_up=False,
    )
    case.note = (
        "Every format gives the same tensors."
        if len(digests) == 1
        else "THE FORMATS GIVE DIFFERENT TENSORS."
    )
    yield case
