"""The reference's side of parity: open_clip live in its own process, or goldens that it made."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.convert.assemble import to_write
from zoo.convert.plan import export_plan
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.select import Opened
from zoo.convert.tables import OPEN_CLIP, OPEN_CLIP_CUSTOM_TEXT, rows_for
from zoo.convert.writer import write_checkpoint
from zoo.errors import missing_library
from zoo.spec import CLIPSpec, open_clip
from zoo.talk import Talk
from zoo.verify.compare import Arrays
from zoo.verify.goldens import find_goldens, open_taps
from zoo.verify.probe import Probe, load_probe
from zoo.verify.process import run_child

LINKED = {"safetensors": "open_clip_model.safetensors"}  # what open_clip looks for, by format
PICKLED = "open_clip_pytorch_model.bin"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the reference computed, on which probe, and what it was."""

    arrays: Arrays
    probe: Probe
    inputs: Path  # a folder with input.pixels.npy and input.tokens.npy
    environment: dict[str, Any]
    kind: str  # live, goldens


def compute_reference(
    checkpoint: Checkpoint,
    spec: CLIPSpec,
    record: Provenance,
    opened: Opened | None,
    work: Path,
    talk: Talk,
) -> Reference:
    """The reference's layers for a stored checkpoint.

    Args:
        checkpoint: the stored tensors.
        spec: what they are.
        record: where they come from.
        opened: the source, where it is at hand: then open_clip reads the source's own file.
            Otherwise it reads what the inverted plan makes of the stored tensors.
        work: a folder for large intermediate files; goldens and links go here.
        talk: progress.

    Raises:
        NotFoundError: open_clip is not installed, and there are no goldens for these weights.
        ProcessError: open_clip failed.
    """
    if not _installed():
        return _from_goldens(record, work)
    probe, out = load_probe(), work / "reference"
    request = {
        "folder": str(_folder_for_open_clip(checkpoint, spec, record, opened, work)),
        "dtype": record.dtype,
        "images": [str(path) for path in probe.images],
        "texts": list(probe.texts),
        "out": str(out),
    }
    run_child("zoo.verify.reference", request, "reference: open_clip", talk)
    shutil.rmtree(work / "open_clip", ignore_errors=True)
    environment = json.loads((out / "environment.json").read_text())
    return Reference(
        arrays=open_taps(out), probe=probe, inputs=out, environment=environment, kind="live"
    )


def _from_goldens(record: Provenance, work: Path) -> Reference:
    """The goldens for the very weights the checkpoint was converted from, cast to no other type."""
    probe = load_probe()
    cast = record.dtype != "keep"
    found = None if cast else find_goldens(record.source.files[-1].sha256)
    if found is None or found[1].probe != probe.digests():
        raise missing_library("open_clip", "reference", "comparing with open_clip")
    taps, origin = found
    inputs = work / "inputs"
    inputs.mkdir()
    for name in ("input.pixels", "input.tokens"):
        np.save(inputs / f"{name}.npy", taps.get(name))
    return Reference(
        arrays=taps, probe=probe, inputs=inputs, environment=origin.environment, kind="goldens"
    )


def _installed() -> bool:
    return importlib.util.find_spec("open_clip") is not None


def _folder_for_open_clip(
    checkpoint: Checkpoint,
    spec: CLIPSpec,
    record: Provenance,
    opened: Opened | None,
    work: Path,
) -> Path:
    """A folder that ``open_clip.create_model("local-dir:...")`` reads."""
    folder = work / "open_clip"
    folder.mkdir()
    custom_text = record.source.format == OPEN_CLIP_CUSTOM_TEXT.name
    if opened and opened.stated.files and opened.spec == spec:
        shutil.copyfile(opened.stated.files[0], folder / open_clip.CONFIG_NAME)
    else:
        config = open_clip.dump(spec)
        config["model_cfg"]["custom_text"] = custom_text
        (folder / open_clip.CONFIG_NAME).write_text(json.dumps(config))
    # torch refuses training checkpoints that hold more than tensors, and open_clip knows no shards.
    if opened and len(opened.checkpoint.files) == 1 and not opened.checkpoint.ignored:
        (weights,) = opened.checkpoint.files
        (folder / LINKED.get(opened.checkpoint.format, PICKLED)).symlink_to(weights.resolve())
        return folder
    _write_inverse(folder, checkpoint, spec, custom_text)
    return folder


def _write_inverse(folder: Path, checkpoint: Checkpoint, spec: CLIPSpec, custom: bool) -> None:
    """open_clip's own tensors from the stored ones, through the inverted table."""
    form = OPEN_CLIP_CUSTOM_TEXT if custom else OPEN_CLIP
    plan = export_plan(rows_for(form, spec, scale_shape=()), spec)
    tensors = to_write(checkpoint, plan, "keep")
    write_checkpoint(
        folder, tensors, max_shard_size=None, metadata={"format": "pt"}, advance=lambda _: None
    )
