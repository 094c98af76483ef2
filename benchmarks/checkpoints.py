"""Checkpoints to measure on: random weights of an architecture that open_clip names, in its real
format and in every other that a contestant reads; each is made when it is first asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.turns import TurnError, last_words
from tools.proofs import MAKE
from zoo.spec import CLIPSpec, native

ONNX = """
import sys, warnings
from pathlib import Path
from zoo.verify.reference.libraries import open_clip, torch
warnings.simplefilter("ignore")
source, out, tower = sys.argv[1:]
model, _ = open_clip.create_model_from_pretrained("local-dir:" + source)
class Tower(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.model = model
    def forward(self, given):
        return (model.encode_image if tower == "image" else model.encode_text)(given)
tokens = torch.zeros(2, model.context_length, dtype=torch.long)
tokens[:, 5] = tokens[:, 5] + 49407
size = model.visual.image_size
size = (size, size) if isinstance(size, int) else size
given = torch.randn(2, 3, *size) if tower == "image" else tokens
with torch.no_grad():
    torch.onnx.export(
        Tower().eval(), (given,), out, input_names=["given"], output_names=["features"],
        dynamic_shapes={"given": {0: torch.export.Dim("batch")}}, dynamo=True, verbose=False,
    )
"""


class Checkpoints:
    """
    Args:
        folder: where they are made, and found again.
        say: hears of each that is made.

    Every method gives a folder or file, and raises TurnError where it could not be made.
    """

    def __init__(self, folder: Path, say: Callable[[str], object]) -> None:
        self.folder, self._say = folder, say

    def source(self, architecture: str, kind: str = "safetensors") -> Path:
        """open_clip's own folder; ``kind`` is safetensors or bin."""
        place = self.folder / architecture
        if not (place / "made").exists():
            self._run("made by open_clip", architecture, "-c", MAKE, architecture, place)
            (place / "made").touch()
        return place / kind

    def weights(self, architecture: str, kind: str = "safetensors") -> Path:
        """The weight file in it."""
        folder = self.source(architecture, kind)
        return next(f for f in folder.iterdir() if f.suffix in (".safetensors", ".bin"))

    def native(self, architecture: str) -> Path:
        return self._zoo(architecture, "native", "convert", self.source(architecture))

    def exported(self, architecture: str, library: str) -> Path:
        """What ``zoo export --to`` writes."""
        return self._zoo(
            architecture, library, "export", self.native(architecture), "--to", library
        )

    def spec(self, architecture: str) -> CLIPSpec:
        return native.read(self.native(architecture) / native.CONFIG_NAME)

    def onnx(self, architecture: str, tower: str) -> Path:
        """``tower`` is image or text; exported from open_clip's model by torch itself."""
        out = self.folder / architecture / "onnx" / f"{tower}.onnx"
        if not out.exists():
            out.parent.mkdir(exist_ok=True)
            draft = out.with_name(f"{tower}.part.onnx")
            source = self.source(architecture)
            self._run(f"ONNX, {tower}", architecture, "-c", ONNX, source, draft, tower)
            draft.rename(out)  # it names its file of weights, which keeps its name
        return out

    def _zoo(self, architecture: str, name: str, *words: str | Path) -> Path:
        out = self.folder / architecture / name
        if not out.exists():  # zoo's folders appear whole
            self._run(name, architecture, "-m", "zoo", *words, "--out", out, "-q")
        return out

    def _run(self, what: str, architecture: str, *words: str | Path) -> None:
        self._say(f"{architecture}: {what}")
        run([sys.executable, *words])


def run(words: Sequence[str | Path]) -> str:
    """What a command prints.

    Raises:
        TurnError: it failed.
    """
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    if done.returncode:
        raise TurnError(last_words(done.stderr) or f"{words[0]} ended with code {done.returncode}")
    return done.stdout


def save_json(path: Path, value: object) -> Path:
    """A contestant's input."""
    path.write_text(json.dumps(value))
    return path
