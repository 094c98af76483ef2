"""The reference's side of parity: a library live in its own process, or goldens that it made."""

from __future__ import annotations

import importlib.util
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.select import Opened
from zoo.errors import missing_library
from zoo.spec import CLIPSpec
from zoo.talk import Talk
from zoo.verify.compare import Arrays
from zoo.verify.goldens import find_goldens, open_taps
from zoo.verify.probe import Probe, load_probe
from zoo.verify.process import run_child
from zoo.verify.reference_folder import LIBRARIES, family_for, make_folder


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
    *,
    taps: bool = True,
) -> Reference:
    """The reference's layers for a stored checkpoint.

    Args:
        checkpoint: the stored tensors.
        spec: what they are.
        record: where they come from.
        opened: the source, where it is at hand: then the library reads the source's own files,
            if it can. Otherwise it reads what the inverted plan makes of the stored tensors.
        work: a folder for large intermediate files; goldens and links go here.
        talk: progress.
        taps: what passes between the blocks too, not the features alone.

    Raises:
        NotFoundError: open_clip is not installed, and there are no goldens for these weights.
        ProcessError: the library failed.
    """
    if not _installed():
        return _from_goldens(record, work)
    probe, out, folder = load_probe(), work / "reference", work / "source"
    family = family_for(spec, record)
    make_folder(folder, family, checkpoint, spec, opened)
    request = {
        "library": LIBRARIES[family],
        "folder": str(folder),
        "dtype": record.dtype,
        "images": [str(path) for path in probe.images],
        "texts": list(probe.texts),
        "out": str(out),
        "taps": taps,
    }
    run_child("zoo.verify.reference", request, f"reference: {LIBRARIES[family]}", talk)
    shutil.rmtree(folder)
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
