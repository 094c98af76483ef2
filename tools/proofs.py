"""The long proofs on full-size models: random weights, real format, real pictures and texts.

    python -m tools.proofs                     # the four common ones
    python -m tools.proofs ViT-g-14 ViT-bigG-14

Each model is made and saved by open_clip itself, converted from .bin and from safetensors, and
climbs the ladder to the pipeline rung. Figures go to docs/proofs.md, one row per model; what a step
no longer needs is deleted as it goes. The largest needs 24 GiB of memory and 35 GB of disk.
"""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parent.parent / "docs" / "proofs.md"
COMMON = ("ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-H-14")
INTERVAL = 0.01  # seconds between looks at a process's memory
ZOO = (sys.executable, "-m", "zoo")

MAKE = """
import json, sys
from pathlib import Path
from zoo.verify.reference.libraries import open_clip, torch
import safetensors.torch
name, folder = sys.argv[1], Path(sys.argv[2])
torch.manual_seed(0)
model = open_clip.create_model(name)
config = {
    "model_cfg": open_clip.get_model_config(name),
    "preprocess_cfg": model.visual.preprocess_cfg,
}
for kind in ("bin", "safetensors"):
    (folder / kind).mkdir(parents=True)
    (folder / kind / "open_clip_config.json").write_text(json.dumps(config))
tensors = model.state_dict()
torch.save(tensors, folder / "bin" / "open_clip_pytorch_model.bin")
safetensors.torch.save_file(
    tensors, folder / "safetensors" / "open_clip_model.safetensors", {"format": "pt"}
)
"""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One command: what it printed, its wall time, and its peak anonymous memory."""

    document: dict[str, Any]
    seconds: float
    anonymous: int  # bytes


def run(*words: str, limit: int | None = None) -> Run:
    """Runs ``zoo WORDS --json``, looking at its memory as it goes.

    Args:
        words: the command's.
        limit: bytes of memory that it may have of its own (RLIMIT_DATA).
    """

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (limit or resource.RLIM_INFINITY,) * 2)

    started, peak = time.monotonic(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*ZOO, *words, "--json", "-q"], stdout=output, preexec_fn=limited
        )
        status = Path(f"/proc/{process.pid}/status")
        while process.poll() is None:
            found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text())
            peak = max(peak, int(found[1]) * 1024 if found else 0)
            time.sleep(INTERVAL)
        seconds = time.monotonic() - started
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"zoo {' '.join(words)} ended with code {process.returncode}")
    return Run(document=json.loads(text), seconds=seconds, anonymous=peak)


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A conversion: what it took, and the digest of the tensors' file."""

    run: Run
    sha256: str
    nbytes: int


def convert(source: Path, out: Path) -> Converted:
    """Converts a folder in any format."""
    print(f"convert {source.name}", file=sys.stderr)
    done = run("convert", str(source), "--out", str(out))
    files = json.loads((out / "provenance.json").read_text())["files"]
    (sha256,) = (file["sha256"] for file in files if file["name"] == "model.safetensors")
    return Converted(run=done, sha256=sha256, nbytes=sum(file["size"] for file in files))


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A climb: what it took, the rungs that passed, and parity's figures where it was climbed."""

    run: Run
    passed: str
    parity: dict[str, Any]

    @property
    def worst(self) -> str:
        return f"{self.parity['worst error / bound']:.2f} ({self.parity['worst layer']})"


def verify(folder: Path, source: Path, upto: str) -> Verified:
    """Climbs the ladder beside what the folder was converted from."""
    print(f"verify {folder.name} up to {upto}", file=sys.stderr)
    done = run("verify", str(folder), "--source", str(source), "--upto", upto)
    rungs = done.document["results"][0]["evidence"]["rungs"]
    return Verified(
        run=done,
        passed=", ".join(str(rung["number"]) for rung in rungs if rung["status"] == "pass"),
        parity=next((rung["figures"] for rung in rungs if rung["name"] == "parity"), {}),
    )


def prove(name: str, folder: Path) -> str:
    """The row of one architecture."""
    print(f"{name}: made and saved by open_clip", file=sys.stderr)
    subprocess.run([sys.executable, "-c", MAKE, name, str(folder)], check=True)
    native = folder / "native"
    pickled = convert(folder / "bin", native)
    of_pickled = verify(native, folder / "bin", "roundtrip")
    shutil.rmtree(folder / "bin")
    shutil.rmtree(native)
    plain = convert(folder / "safetensors", native)
    of_plain = verify(native, folder / "safetensors", "pipeline")
    cells = (
        name,
        f"{plain.nbytes / 1e9:.2f}",
        *(f"{form.run.seconds:.1f}" for form in (pickled, plain)),
        *(f"{form.run.anonymous / 1e6:.0f}" for form in (pickled, plain)),
        "yes" if pickled.sha256 == plain.sha256 else "NO",
        of_pickled.passed,
        of_plain.passed,
        f"{of_plain.parity['visual.features']:.2e}",
        f"{of_plain.parity['text.features']:.2e}",
        of_plain.worst,
        f"{of_plain.run.seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def put(row: str, heading: str) -> None:
    """Puts a row into the page's table that begins with ``heading``, in place of an older one.

    The first cell says which row it is.
    """
    lines = PAGE.read_text().splitlines()
    name = row.split(" | ")[0]
    begin = lines.index(next(line for line in lines if line.startswith(heading)))
    end = begin
    while end < len(lines) and lines[end].startswith("|"):
        end += 1
    table = [line for line in lines[begin:end] if line.split(" | ")[0] != name]
    PAGE.write_text("\n".join([*lines[:begin], *table, row, *lines[end:]]) + "\n")
    print(row)


def main(names: list[str]) -> None:
    """Proves each model and puts its row into the page."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="zoo-proofs-") as folder:
            put(prove(name, Path(folder)), "| model | GB | convert .bin |")


if __name__ == "__main__":
    main(sys.argv[1:] or list(COMMON))
