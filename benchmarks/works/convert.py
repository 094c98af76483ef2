"""`zoo convert` of open_clip's file: read, split, transposed, written, with digests of the source,
of every tensor and of the result. Beside it: `cp` and then one pass of `sha256sum` over the same
file; and transformers, which loads the same weights in its own format and writes them with
`save_pretrained`, without digests. Everything is a process of its own; the page cache is warm, and
what was written before is on disk when the clock starts."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.results import Case, Target
from benchmarks.turns import Turn, command

TITLE = "Converting"
MODELS = ("ViT-B-32", "ViT-L-14")
TRANSFORMERS = """
import sys
from zoo.verify.reference.libraries import torch
import transformers
transformers.CLIPModel.from_pretrained(sys.argv[1]).save_pretrained(sys.argv[2])
"""
LIMIT = "cp + sha256sum"
AT_MOST = 1.5  # times what that takes
EQUAL = 1.05  # .bin is as fast as safetensors
LARGE = 3.0  # GB


def warm(path: Path) -> None:
    """A file, or a folder's, into the page cache, which has no room for all that everyone reads of
    a large model."""
    for part in sorted(path.iterdir()) if path.is_dir() else [path]:
        with part.open("rb") as file:
            while file.read(1 << 24):
                pass


def cases(bench: Bench, model: str) -> Iterator[Case]:
    made = bench.checkpoints
    files = {kind: made.weights(model, kind) for kind in ("safetensors", "bin")}
    out, copy = bench.folder / "out", bench.folder / "copy"
    gigabytes = files["safetensors"].stat().st_size / 1e9

    def clean() -> None:
        shutil.rmtree(out, ignore_errors=True)
        copy.unlink(missing_ok=True)

    def ready(source: Path) -> Callable[[], None]:
        def prepare() -> None:
            clean()
            warm(source)

        return prepare

    def convert(kind: str) -> Turn:
        words = (sys.executable, "-m", "zoo", "convert", files[kind], "--out", out, "-q")
        return command(*words, prepare=ready(files[kind]))

    cp = command("cp", files["safetensors"], copy, prepare=ready(files["safetensors"]))
    digest = command("sha256sum", files["safetensors"])
    ours = {"zoo convert, safetensors": "safetensors", "zoo convert, .bin": "bin"}
    turns: dict[str, Turn] = {name: convert(kind) for name, kind in ours.items()}
    turns[LIMIT] = lambda: cp() + digest()
    theirs = made.exported(model, "hf")
    words = (sys.executable, "-c", TRANSFORMERS, theirs, out)
    turns["transformers, save_pretrained"] = command(*words, prepare=ready(theirs))
    yield bench.race(
        model,
        "s",
        turns,
        ours=ours,
        baseline=LIMIT,
        targets=[Target(ours=name, over=[LIMIT], at_most=AT_MOST) for name in ours],
        rounds=4 if gigabytes < LARGE else 2,
        limits={"cp": ("GB", lambda: cp() / gigabytes)},
        amount=gigabytes,
        against="GB",
        size=gigabytes,
    )
    # By themselves: whoever comes after a copy that was deleted again waits longer for the disk.
    first, second = ours
    yield bench.race(
        f"{model}, two formats",
        "s",
        {name: turns[name] for name in ours},
        ours=ours,
        baseline=first,
        targets=[Target(ours=second, over=[first], at_most=EQUAL)],
        rounds=4 if gigabytes < LARGE else 2,
        amount=gigabytes,
    )
    clean()
