"""Checkpoints: a zoo folder beside what a later run goes on from; whole, or not there at all.

checkpoint-500/
    model/                   what `zoo convert` would have written: load, verify, export it
    ema/                     the same of the moving average, with --ema_decay
    optimizer.safetensors    the optimizer's state under the parameters' names
    state.json               steps done, and what the order of the data depends on
replaced/                    what a run was told to overwrite, until it has a checkpoint of its own
    last-step                after this step they came; in the output itself until all are here
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from train.data.places import Stream
from train.folder import write_model
from zoo.convert.readers import open_checkpoint
from zoo.convert.stream import Tensor
from zoo.convert.writer import write_safetensors
from zoo.errors import FormatError, NotFoundError, as_zoo_error
from zoo.files import PARTIAL, leftovers, new_folder, write_atomic
from zoo.locks import locked
from zoo.spec import CLIPSpec

MODEL, EMA = "model", "ema"
OPTIMIZER_NAME, STATE_NAME = "optimizer.safetensors", "state.json"
REPLACED, LAST = "replaced", "last-step"
_NAME = re.compile(r"checkpoint-(\d+)")
Arrays = Mapping[str, NDArray[np.float32]]


class State(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``step`` steps are done; the rest decides which samples are next."""

    schema_version: int = 1
    step: int
    batch: int  # samples of all ranks in a step
    samples: int | None
    seed: int
    loss_scale: float | None = None  # with --fp16
    good_steps: int = 0  # since it changed
    bad_samples: int = 0  # that all ranks met so far
    stream: Stream | None = None  # where its readers are, if the samples come as one


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything a checkpoint holds; ``name`` is the model's, ``ema`` None where none is kept."""

    name: str
    spec: CLIPSpec
    weights: Arrays
    ema: Arrays | None
    optimizer: Arrays
    state: State


@contextmanager
def owned(output: Path, say: Callable[[str], object]) -> Iterator[None]:
    """Holds a run's folder, so that no other run writes there, and ends what a dead one began: what
    it left unfinished goes, and what it was setting aside is set aside.

    Raises:
        LockError, DiskError, AccessError: as the system says.
    """
    with locked(output / "run", say):
        for leftover in output.glob(f".*{PARTIAL}"):
            if leftover.name.startswith((".checkpoint-", f".{REPLACED}.")):
                shutil.rmtree(leftover)
        for name in leftovers(LAST):
            (output / name).unlink(missing_ok=True)
        if (output / LAST).is_file():
            _move_later(output)
        _remove_replaced(output)
        yield


def set_aside(output: Path, *, after: int) -> None:
    """Moves the checkpoints of steps after ``after``, which are an earlier run's, to ``replaced``:
    the newest one that is left is this run's, or the one that it goes on from.

    They take that step together, whenever the process ends, and stay there until ``save`` has put
    one in their place. Call it under ``owned(output)``.

    Raises:
        LockError, DiskError, AccessError: as the system says.
    """
    if any(step_of(path) > after for path in checkpoints(output)):
        write_atomic(output / LAST, str(after).encode())
        _move_later(output)


def _move_later(output: Path) -> None:
    aside = output / REPLACED
    try:
        aside.mkdir(exist_ok=True)
        for path in _stored(output):
            if step_of(path) > _last(output):
                path.rename(aside / path.name)
        (output / LAST).replace(aside / LAST)
    except OSError as error:
        raise as_zoo_error(error, aside) from error


def _remove_replaced(output: Path) -> None:
    """Removes what was set aside, if there is a checkpoint in its place."""
    if any(step_of(path) > _last(output / REPLACED) for path in checkpoints(output)):
        _remove(output / REPLACED)


def save(output: Path, snapshot: Snapshot, *, command: list[str], keep: int | None) -> Path:
    """Writes ``checkpoint-STEP``, then removes the oldest beyond the last ``keep``.

    Call it under ``owned(output)``. What was set aside goes now that there is one in its place.

    Raises:
        DiskError, AccessError: as the system says; then the checkpoints that were there still are.
        NonfiniteError: a weight is not finite.
    """
    folder = output / f"checkpoint-{snapshot.state.step}"
    with new_folder(folder, replace=True, mark=STATE_NAME) as partial:
        write_model(partial / MODEL, snapshot.spec, snapshot.weights, snapshot.name, command)
        if snapshot.ema is not None:
            write_model(partial / EMA, snapshot.spec, snapshot.ema, snapshot.name, command)
        write_safetensors(
            partial / OPTIMIZER_NAME,
            as_tensors(snapshot.optimizer),
            metadata={},
            advance=lambda count: None,
        )
        encoded = msgspec.json.format(msgspec.json.encode(snapshot.state), indent=1)
        (partial / STATE_NAME).write_bytes(encoded + b"\n")
    _remove_replaced(output)
    for old in checkpoints(output)[: -keep if keep else 0]:
        _remove(old)
    return folder


def _remove(folder: Path) -> None:
    """Out of sight in one step, so that half a checkpoint is never taken for one."""
    aside = folder.with_name(f".{folder.name}{PARTIAL}")
    folder.rename(aside)
    shutil.rmtree(aside)


def as_tensors(arrays: Arrays) -> list[Tensor]:
    return [
        Tensor(name=name, shape=a.shape, dtype=str(a.dtype), produce=a.view)
        for name, a in arrays.items()
    ]


def checkpoints(output: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    last = _last(output)  # before looking, since what it hides is then moved
    return [path for path in _stored(output) if step_of(path) <= last]


def replaced(output: Path) -> list[Path]:
    """What was set aside and has no checkpoint in its place yet, oldest first."""
    return _stored(output / REPLACED)


def _stored(output: Path) -> list[Path]:
    found = [path for path in output.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=step_of)


def _last(output: Path) -> float:
    """The step after which checkpoints are set aside."""
    try:
        return int((output / LAST).read_text())
    except FileNotFoundError:
        return math.inf


def step_of(folder: Path) -> int:
    """The steps that a checkpoint's name tells."""
    return int(folder.name.partition("-")[2])


def find_checkpoint(text: str, output: Path) -> Path:
    """What ``--resume_from_checkpoint`` means.

    Raises:
        NotFoundError: it is not there.
    """
    if text.lower() == "true":
        found = checkpoints(output)
        if not found:
            aside = f"Those of the run before are in {REPLACED}/: name one, or move them back."
            raise NotFoundError(
                "there is no checkpoint to go on from",
                where=output,
                remedy=aside if replaced(output) else None,
            )
        return found[-1]
    folder = Path(text)
    if not (folder / STATE_NAME).is_file():
        raise NotFoundError(
            "this is no checkpoint of a training run",
            where=folder,
            remedy="Name a folder checkpoint-STEP, or say --resume_from_checkpoint True.",
        )
    return folder


def read_state(folder: Path) -> State:
    """Raises FormatError where the file is not what ``save`` wrote."""
    try:
        return msgspec.json.decode((folder / STATE_NAME).read_bytes(), type=State)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"damaged: {error}", where=folder / STATE_NAME) from None


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """Views on the file, of which a rank takes into memory what it uses."""
    with open_checkpoint(path) as checkpoint:
        return {name: checkpoint.tensor(name) for name in checkpoint.tensors}
