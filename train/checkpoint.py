"""Checkpoints: a zoo folder beside what a later run goes on from; whole, or not there at all.

checkpoint-500/
    model/                   what `zoo convert` would have written: load, verify, export it
    ema/                     the same of the moving average, with --ema_decay
    optimizer.safetensors    the optimizer's state under the parameters' names
    state.json               steps done, and what the order of the data depends on
"""

from __future__ import annotations

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

from train.folder import write_model
from zoo.convert.readers import open_checkpoint
from zoo.convert.stream import Tensor
from zoo.convert.writer import write_safetensors
from zoo.errors import FormatError, NotFoundError
from zoo.files import PARTIAL, new_folder
from zoo.locks import locked
from zoo.spec import CLIPSpec

MODEL, EMA = "model", "ema"
OPTIMIZER_NAME, STATE_NAME = "optimizer.safetensors", "state.json"
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
    """Holds a run's folder, so that no other run writes there, and removes what a dead one left.

    Raises:
        LockError, DiskError, AccessError: as the system says.
    """
    with locked(output / "run", say):
        for leftover in output.glob(f".checkpoint-*{PARTIAL}"):
            shutil.rmtree(leftover)
        yield


def save(output: Path, snapshot: Snapshot, *, command: list[str], keep: int | None) -> Path:
    """Writes ``checkpoint-STEP``, then removes the oldest beyond the last ``keep``.

    Call it under ``owned(output)``. Checkpoints of later steps are those of an earlier run, which
    this one was told to overwrite: they go once there is a checkpoint in their place.

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
    upto = [path for path in checkpoints(output) if step_of(path) <= snapshot.state.step]
    for old in (set(checkpoints(output)) - set(upto)) | set(upto[: -keep if keep else 0]):
        _remove(old)
    return folder


def _remove(folder: Path) -> None:
    """Out of sight in one step, so that half a checkpoint is never taken for one."""
    aside = folder.with_name(f".{folder.name}{PARTIAL}")
    folder.rename(aside)
    shutil.rmtree(aside)


def as_tensors(arrays: Arrays) -> list[Tensor]:
    return [
        Tensor(name=name, shape=a.shape, dtype=str(a.dtype), produce=lambda a=a: a)
        for name, a in arrays.items()
    ]


def checkpoints(output: Path) -> list[Path]:
    """The checkpoints of a run, oldest first."""
    found = [path for path in output.glob("checkpoint-*") if _NAME.fullmatch(path.name)]
    return sorted(found, key=step_of)


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
            raise NotFoundError("there is no checkpoint to go on from", where=output)
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
    with open_checkpoint(path) as checkpoint:
        return {name: np.array(checkpoint.tensor(name)) for name in checkpoint.tensors}
