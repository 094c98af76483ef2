"""A checkpoint converted from every format under a limit on memory, which the kernel holds.

    python -m tools.limited ViT-bigG-14

RLIMIT_DATA bounds what a process may have in memory of its own, touched or not. Each format is
written by its own library, in its full size, and deleted when it has been converted; prints a table
in Markdown. Takes disk for three times the checkpoint, and little memory: the weights lie in a
mapped file of random numbers.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tools.proofs import run
from zoo.convert import provenance
from zoo.convert.native import open_native

LIMIT = 10**9  # bytes

MAKE = """
import json, sys
from pathlib import Path
import numpy as np
from zoo.verify.reference.libraries import open_clip, torch
from tools.layouts import CONFIG, LAYOUTS
name, layout, numbers, out = *sys.argv[1:3], *map(Path, sys.argv[3:])
with torch.device("meta"):
    model = open_clip.create_model(name, device="meta")
shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
if not numbers.exists():
    block = np.random.default_rng(0).standard_normal(2**24, np.float32) * np.float32(0.02)
    with numbers.open("wb") as file:
        left = sum(shape.numel() for shape in shapes.values())
        while left > 0:
            left -= file.write(block[:left].data) // 4
flat, tensors, start = np.memmap(numbers, np.float32, "r+"), {}, 0
for key, shape in shapes.items():
    end = start + shape.numel()
    tensors[key], start = torch.from_numpy(flat[start:end]).reshape(shape), end
out.mkdir()
config = {
    "model_cfg": open_clip.get_model_config(name),
    "preprocess_cfg": model.visual.preprocess_cfg,
}
(out / CONFIG).write_text(json.dumps(config))
LAYOUTS[layout](tensors, out)
"""
# By torch and safetensors (tools/layouts.py), then from the native checkpoint by zoo itself.
FORMATS = {
    "safetensors in 4 shards": "shards",
    "`.bin` (zip)": "zip",
    "`.bin` (torch before 1.6)": "legacy",
    "safetensors": "safetensors",
}
EXPORTS = {"transformers' folder": "hf", "`.pdparams` (PaddleMIX)": "paddlemix"}


def sources(folder: Path, architecture: str, native: Path) -> Iterator[tuple[str, Path]]:
    """Every format and a folder in it, removed when the next one is asked for.

    Of the first ones the last is converted to ``native``, which the others are made from.
    """
    place = folder / "source"
    for name, layout in FORMATS.items():
        words = ("-c", MAKE, architecture, layout, folder / "numbers", place)
        subprocess.run([sys.executable, *map(str, words)], check=True)
        yield name, place
        shutil.rmtree(place)
    (folder / "numbers").unlink()
    for name, library in EXPORTS.items():
        run("export", str(native), "--to", library, "--out", str(place), limit=LIMIT)
        yield name, place
        shutil.rmtree(place)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("architecture", nargs="?", default="ViT-bigG-14")
    parser.add_argument("--folder", type=Path, help="where there is room (default: TMPDIR)")
    args = parser.parse_args()
    digests = set()
    print("| source | checkpoint, MB | limit, MB | peak anonymous memory, MB | seconds |")
    print("|---|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="zoo-limited-", dir=args.folder) as name:
        folder = Path(name)
        native, out = folder / "native", folder / "out"
        for format, source in sources(folder, args.architecture, native):
            target = native if format == "safetensors" else out
            done = run("convert", str(source), "--out", str(target), limit=LIMIT)
            digests.add(provenance.read(target).tensors_digest)
            size = sum(file.stat().st_size for file in target.iterdir())
            figures = (size / 1e6, LIMIT / 1e6, done.anonymous / 1e6, done.seconds)
            print("|", " | ".join([format, *(f"{figure:.0f}" for figure in figures)]), "|")
            sys.stdout.flush()
            shutil.rmtree(out, ignore_errors=True)
        with open_native(native) as checkpoint:
            largest = max(info.nbytes for info in checkpoint.tensors.values())
    print(f"\nThe largest tensor has {largest / 1e6:.1f} MB.")
    if len(digests) != 1:
        raise SystemExit("the formats give different tensors")


if __name__ == "__main__":
    main()
