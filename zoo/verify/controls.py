"""Negative controls: a check counts once it has been seen to fail.

Each control makes one mistake that a converter or a model could make, and the rung that is there to
catch it runs again, unaltered. The parity controls sabotage the loaded Paddle model; the pipeline
controls its preprocessing; the flipped bit lands in a copy of a weight file.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from zoo.spec import Resize
from zoo.spec.open_clip import OPENAI_MEAN
from zoo.talk import Silence, Talk
from zoo.verify.bench import Bench
from zoo.verify.ladder import attempt
from zoo.verify.outcome import NOT_ASKED, Outcome, not_run
from zoo.verify.rungs.files import check_files


@dataclass(frozen=True, kw_only=True)
class Control:
    """One mistake, and the rung that has to catch it."""

    name: str
    rung: str
    run: Callable[[Bench], Outcome]
    of_pictures: bool = False  # there is no such mistake where no pictures are prepared


@dataclass(frozen=True, kw_only=True)
class Caught:
    """What became of a control; ``factor`` is how many times its bound the error was.

    ``caught`` is None where the control did not run, for ``reason``.
    """

    name: str
    rung: str
    caught: bool | None
    factor: float | None
    reason: str


def _parity(control: str) -> Callable[[Bench], Outcome]:
    return lambda bench: bench.parity(control)


def _squash(bench: Bench) -> Outcome:
    """The other resize mode: squash for shortest, or shortest for squash."""
    preprocess = bench.spec.preprocess
    assert preprocess is not None
    other: Resize = "shortest" if preprocess.resize == "squash" else "squash"
    return bench.pipeline(replace(bench.spec, preprocess=replace(preprocess, resize=other)))


def _mean(bench: Bench) -> Outcome:
    """0.5 for OpenAI's mean, or OpenAI's for 0.5: the mistake that people make."""
    preprocess = bench.spec.preprocess
    assert preprocess is not None
    half = (0.5, 0.5, 0.5)
    other = OPENAI_MEAN if preprocess.mean == half else half
    return bench.pipeline(replace(bench.spec, preprocess=replace(preprocess, mean=other)))


def _flipped_bit(bench: Bench) -> Outcome:
    """One bit in the middle of the last weight file; the folder's other files are linked."""
    folder = bench.folder.resolve()
    damaged = sorted(folder.glob("*.safetensors"))[-1]
    with TemporaryDirectory(prefix=".zoo-control-", dir=folder.parent) as name:
        for path in folder.iterdir():
            if path != damaged:
                (Path(name) / path.name).symlink_to(path)
        copy = shutil.copyfile(damaged, Path(name) / damaged.name)
        with copy.open("r+b") as file:
            middle = copy.stat().st_size // 2
            file.seek(middle)
            (byte,) = file.read(1)
            file.seek(middle)
            file.write(bytes([byte ^ 1]))
        return check_files(Path(name), Silence())


CONTROLS = (
    Control(name="a transpose left out", rung="parity", run=_parity("transpose")),
    Control(name="q and k swapped", rung="parity", run=_parity("swap-qk")),
    Control(name="the other activation", rung="parity", run=_parity("activation")),
    Control(name="epsilon 1e-6", rung="parity", run=_parity("eps")),
    Control(name="the other resize mode", rung="pipeline", run=_squash, of_pictures=True),
    Control(name="a wrong mean", rung="pipeline", run=_mean, of_pictures=True),
    Control(name="one flipped bit", rung="files", run=_flipped_bit),
)


def self_test(bench: Bench, honest: Mapping[str, Outcome], talk: Talk) -> list[Caught]:
    """Runs every control that is one for this model.

    Args:
        bench: the checkpoint under test.
        honest: what its rungs found without a mistake. A rung that did not pass shows nothing by
            failing, so that its controls do not run; of one that was not asked for there are none.
        talk: progress.
    """
    results = []
    for control in CONTROLS:
        before = honest[control.rung]
        if before == NOT_ASKED:
            continue
        if before.status == "not run":
            outcome = before
        elif before.status == "fail":
            outcome = not_run(f"{control.rung} fails without the mistake, too")
        elif control.of_pictures and bench.spec.preprocess is None:
            continue
        else:
            talk.say(f"control: {control.name}")
            outcome = attempt(control.run, bench)
        results.append(
            Caught(
                name=control.name,
                rung=control.rung,
                caught=None if outcome.status == "not run" else outcome.status == "fail",
                factor=_factor(outcome),
                reason=outcome.reason or "it passed",
            )
        )
    return results


def _factor(outcome: Outcome) -> float | None:
    """The error in units of the bound; None where the bound is equality."""
    value = outcome.figures.get("worst error / bound")
    return float(value) if value is not None else None
