"""``zoo.load`` of a converted checkpoint against open_clip's own loading of its own file.

    python -m benchmarks.load ViT-L-14 --rounds 5

Each in a process of its own, imports included, ready to encode.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import command, in_turns, ratios, report
from tools.proofs import MAKE

TARGET = 2.0
OURS = "import sys, zoo; zoo.load(sys.argv[1])"
THEIRS = """
import sys
from zoo.verify.reference.libraries import open_clip
open_clip.create_model_and_transforms("local-dir:" + sys.argv[1])
open_clip.get_tokenizer("local-dir:" + sys.argv[1])
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", nargs="?", default="ViT-L-14")
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        subprocess.run([sys.executable, "-c", MAKE, args.architecture, name], check=True)
        source, native = Path(name) / "safetensors", Path(name) / "native"
        subprocess.run(
            [sys.executable, "-m", "zoo", "convert", source, "--out", native, "-q"], check=True
        )
        times = in_turns(
            {
                "zoo.load": command(sys.executable, "-c", OURS, native),
                "open_clip": command(sys.executable, "-c", THEIRS, source),
            },
            args.rounds,
        )
    middle, low, high = ratios(times["open_clip"], times["zoo.load"])
    report(
        {
            "architecture": args.architecture,
            "median seconds": {work: statistics.median(seconds) for work, seconds in times.items()},
            "open_clip / zoo.load": {"median": middle, "spread": [low, high], "target": TARGET},
        }
    )


if __name__ == "__main__":
    main()
