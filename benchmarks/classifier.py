"""The zero-shot classifier of ImageNet's names and 80 templates, against open_clip's own.

    python -m benchmarks.classifier ViT-B-32 --classes 100 --rounds 1

Each in a process of its own that has loaded the model before, in turns: tokenizing and encoding
are timed, imports and loading are not. The result is held against open_clip's in float64, by the
measure of zoo/verify/tolerance.py. Needs the extra `reference`, which makes the checkpoint.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measure import Work, in_turns, ratios, report
from tools.proofs import MAKE
from zoo.verify.compare import relative_rms
from zoo.verify.tolerance import parity_bound

TARGET = 10.0
SERVE = """
import sys, time
for line in sys.stdin:
    started = time.perf_counter()
    columns = build(line.strip())
    seconds = time.perf_counter() - started
    numpy.save(sys.argv[2] + line.strip(), columns)
    print("seconds", seconds, flush=True)
"""
WORDS = """
import sys, numpy
from zoo.imagesets.imagenet import class_names, templates
names = class_names()[: int(sys.argv[3])]
"""
OURS = f"""{WORDS}
import zoo
model, _, _ = zoo.load(sys.argv[1])
def build(_):
    return model.build_zero_shot_classifier(names, templates()).numpy()
{SERVE}"""
THEIRS = f"""{WORDS}
from zoo.verify.reference.libraries import open_clip, torch
model, _ = open_clip.create_model_from_pretrained("local-dir:" + sys.argv[1])
tokenizer = open_clip.get_tokenizer("local-dir:" + sys.argv[1])
def build(precision):
    model.double() if precision == "float64" else model.float()
    with torch.no_grad():
        columns = open_clip.build_zero_shot_classifier(model.eval(), tokenizer, names, templates())
    return columns.numpy()
{SERVE}"""


class Server:
    """A process that builds the classifier each time it is told to."""

    def __init__(self, program: str, folder: Path, out: Path, classes: int) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", program, str(folder), str(out), str(classes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def build(self, precision: str) -> float:
        """Seconds that it took."""
        assert self._child.stdin is not None and self._child.stdout is not None
        print(precision, file=self._child.stdin, flush=True)
        for line in self._child.stdout:
            if line.startswith("seconds "):
                return float(line.split()[1])
        raise SystemExit("the process ended; see above")

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("architecture", nargs="?", default="ViT-B-32")
    parser.add_argument("--classes", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-c", MAKE, args.architecture, name], check=True)
        source, native = folder / "safetensors", folder / "native"
        subprocess.run(
            [sys.executable, "-m", "zoo", "convert", source, "--out", native, "-q"], check=True
        )
        ours = Server(OURS, native, folder / "ours-", args.classes)
        theirs = Server(THEIRS, source, folder / "theirs-", args.classes)
        works: dict[str, Work] = {
            "open_clip": lambda: theirs.build("float32"),
            "zoo": lambda: ours.build("float32"),
        }
        times = in_turns(works, args.rounds)
        theirs.build("float64")
        ours.close()
        theirs.close()
        exact = np.load(folder / "theirs-float64.npy")
        error, reference = (
            relative_rms(np.load(folder / f"{who}-float32.npy"), exact)
            for who in ("ours", "theirs")
        )
    middle, low, high = ratios(times["open_clip"], times["zoo"])
    prompts = args.classes * 80
    report(
        {
            "architecture": args.architecture,
            "prompts": prompts,
            "prompts per second": {
                work: prompts / statistics.median(seconds) for work, seconds in times.items()
            },
            "open_clip / zoo": {"median": middle, "spread": [low, high], "target": TARGET},
            "relative error to float64": {
                "zoo": error,
                "open_clip": reference,
                "allowed": parity_bound(reference),
            },
        }
    )


if __name__ == "__main__":
    main()
