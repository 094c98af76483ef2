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


def run(*words: str) -> Run:
    """Runs ``zoo WORDS --json``, looking at its memory as it goes."""
    started, peak = time.monotonic(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen([*ZOO, *words, "--json", "-q"], stdout=output)
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


def prove(name: str, folder: Path) -> dict[str, Any]:
    """All figures of one architecture."""
    print(f"{name}: made and saved by open_clip", file=sys.stderr)
    subprocess.run([sys.executable, "-c", MAKE, name, str(folder)], check=True)
    figures: dict[str, Any] = {"model": name}
    bytes_of = {}
    for kind in ("bin", "safetensors"):
        out = folder / f"{kind}-native"
        print(f"{name}: convert from {kind}", file=sys.stderr)
        convert = run("convert", str(folder / kind), "--out", str(out))
        record = json.loads((out / "provenance.json").read_text())
        bytes_of[kind] = next(
            f["sha256"] for f in record["files"] if f["name"] == "model.safetensors"
        )
        figures[f"convert {kind}"] = convert.seconds
        figures[f"memory {kind}"] = convert.anonymous
        print(f"{name}: verify, from {kind}", file=sys.stderr)
        upto = "roundtrip" if kind == "bin" else "pipeline"
        verify = run("verify", str(out), "--source", str(folder / kind), "--upto", upto)
        result = verify.document["results"][0]
        figures[f"verify {kind}"] = verify.seconds
        figures[f"rungs {kind}"] = [
            rung["number"] for rung in result["evidence"]["rungs"] if rung["status"] == "pass"
        ]
        if kind == "bin":
            figures["GB"] = sum(file["size"] for file in record["files"]) / 1e9
            shutil.rmtree(folder / kind)
            shutil.rmtree(out)
        else:
            figures["parity"] = result["evidence"]["rungs"][3]["figures"]
    figures["same bytes"] = bytes_of["bin"] == bytes_of["safetensors"]
    shutil.rmtree(folder)
    return figures


def row(figures: dict[str, Any]) -> str:
    parity = figures["parity"]
    cells = (
        figures["model"],
        f"{figures['GB']:.2f}",
        *(f"{figures[f'convert {kind}']:.1f}" for kind in ("bin", "safetensors")),
        *(f"{figures[f'memory {kind}'] / 1e6:.0f}" for kind in ("bin", "safetensors")),
        "yes" if figures["same bytes"] else "NO",
        ", ".join(map(str, figures["rungs bin"])),
        ", ".join(map(str, figures["rungs safetensors"])),
        f"{parity['visual.features']:.2e}",
        f"{parity['text.features']:.2e}",
        f"{parity['worst error / bound']:.2f} ({parity['worst layer']})",
        f"{figures['verify safetensors']:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def main(names: list[str]) -> None:
    """Proves each model and puts its row into the page, in place of an older one."""
    for name in names:
        with tempfile.TemporaryDirectory(prefix="zoo-proofs-") as folder:
            new = row(prove(name, Path(folder) / name))
        lines = PAGE.read_text().splitlines()
        kept = [line for line in lines if not line.startswith(f"| {name} |")]
        place = max(i for i, line in enumerate(kept) if line.startswith("|")) + 1
        PAGE.write_text("\n".join([*kept[:place], new, *kept[place:]]) + "\n")
        print(new)


if __name__ == "__main__":
    main(sys.argv[1:] or list(COMMON))
