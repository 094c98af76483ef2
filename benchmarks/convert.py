"""Converting a checkpoint against copying it and hashing it once, page cache warm.

    python -m benchmarks.convert ViT-L-14 --rounds 5

The limit of the machine for bytes is `cp`; for digests, one pass of `sha256sum`. The converter
reads, splits, transposes, writes, and takes three digests: of the source, of every tensor, of the
result. Needs the extra `reference`, which makes the checkpoint.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import command, in_turns, ratios, report
from tools.proofs import MAKE

LIMIT = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", nargs="?", default="ViT-L-14")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", MAKE, args.architecture, name], check=True)
        out, copy = folder / "out", folder / "copy"
        kinds = {
            "safetensors": folder / "safetensors" / "open_clip_model.safetensors",
            "bin": folder / "bin" / "open_clip_pytorch_model.bin",
        }
        works = {
            "cp": command("cp", kinds["safetensors"], copy, prepare=lambda: copy.unlink(True)),
            "sha256sum": command("sha256sum", kinds["safetensors"]),
        }
        for kind, weights in kinds.items():
            works[f"zoo convert, {kind}"] = command(
                *(sys.executable, "-m", "zoo", "convert", weights, "--out", out, "-q"),
                prepare=lambda: shutil.rmtree(out, ignore_errors=True),
            )
        times = in_turns(works, args.rounds)
        size = kinds["safetensors"].stat().st_size
    limit = [a + b for a, b in zip(times["cp"], times["sha256sum"], strict=True)]
    figures: dict[str, object] = {
        "architecture": args.architecture,
        "GB": size / 1e9,
        "median seconds": {work: statistics.median(seconds) for work, seconds in times.items()},
        "allowed ratio": LIMIT,
    }
    for kind in kinds:
        middle, low, high = ratios(times[f"zoo convert, {kind}"], limit)
        figures[f"zoo convert, {kind} / (cp + sha256sum)"] = {
            "median": middle,
            "spread": [low, high],
        }
    report(figures)


if __name__ == "__main__":
    main()
