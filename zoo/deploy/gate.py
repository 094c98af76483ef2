"""The gate: programs compute what the reference computes, within the band of rung 4."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from zoo.convert.native import open_native
from zoo.convert.provenance import Provenance
from zoo.convert.select import Opened
from zoo.deploy.request import ComputeRequest
from zoo.errors import NotFoundError
from zoo.spec import native
from zoo.talk import Talk
from zoo.verify.compare import Arrays
from zoo.verify.goldens import Taps, open_taps
from zoo.verify.locate import locate_source
from zoo.verify.outcome import Outcome, not_run
from zoo.verify.process import run_child
from zoo.verify.reference_side import Reference, compute_reference
from zoo.verify.rungs.parity import HEADLINES, check_parity

INPUTS = ("input.pixels", "input.tokens")


def judge(folder: Path, record: Provenance | None, programs: Path, talk: Talk) -> Outcome:
    """Judges the programs of a checkpoint; ``not run`` where no reference is at hand.

    Args:
        folder: the checkpoint.
        record: its provenance.
        programs: their folder.
        talk: progress.

    Raises:
        ProcessError: a process failed.
    """
    if record is None:
        return not_run("without a provenance there is no reference to hold the programs against")
    opened = locate_source(folder, record, None)
    source = opened if isinstance(opened, Opened) else None
    with TemporaryDirectory(prefix="zoo-gate-") as name, open_native(folder) as checkpoint:
        work = Path(name)
        spec = native.read(folder / native.CONFIG_NAME)
        try:
            reference = compute_reference(checkpoint, spec, record, source, work, talk, taps=False)
        except NotFoundError as error:
            return not_run(str(error))
        finally:
            if source is not None:
                source.checkpoint.close()
        return held_against(reference, programs, work, talk)


def held_against(reference: Reference, programs: Path, work: Path, talk: Talk) -> Outcome:
    """Judges programs against a reference that is there.

    Args:
        reference: what it computed.
        programs: their folder.
        work: a folder for intermediate files.
        talk: progress.

    Raises:
        ProcessError: the programs do not run.
    """
    out = work / "programs"
    request = ComputeRequest(programs=str(programs), inputs=str(reference.inputs), out=str(out))
    asked = msgspec.to_builtins(request)
    run_child("zoo.deploy.compute", asked, "parity: Paddle Inference", talk)
    return check_parity(open_taps(out), _ends(reference.arrays))


def _ends(arrays: Arrays) -> Taps:
    """What leaves the towers, without what passes inside, which programs do not show."""
    wanted = {*INPUTS, *(f"{p}/{name}" for p in ("f32", "f64") for name in HEADLINES)}
    return Taps({name: arrays.get(name) for name in arrays.keys() if name in wanted})  # noqa: SIM118
