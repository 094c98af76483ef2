"""What a checkpoint takes of a run, and gives to the one that goes on."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from paddle import Tensor

from train import checkpoint
from train.checkpoint import Snapshot, State
from train.data.feed import Feed
from train.flags import Arguments
from train.optimizer import MOMENTS, Optimizer
from train.precision import LossScale
from train.processes import gather_places
from train.run import Run
from train.tensor_parallel import cut, merge
from zoo.convert.writer import WEIGHTS_NAME
from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, native


def take(run: Run, step: int, feed: Feed, *, bad_samples: int) -> Snapshot | None:
    """The run after ``step`` steps. Every rank takes part, since each may hold a part of the state;
    the first one gets it."""
    optimizer = run.optimizer.state()
    weights = _whole(run, dict(run.engine.model.named_parameters()))
    ema = None if run.average is None else _whole(run, run.average.weights)
    places = gather_places(feed.places, run.topology)
    if run.topology.rank > 0:
        return None
    return Snapshot(
        name=run.name,
        spec=run.spec,
        weights=weights,
        ema=ema,
        optimizer=optimizer,
        state=State(
            step=step,
            batch=run.plan.batch,
            samples=run.plan.samples,
            seed=run.arguments.seed,
            bad_samples=bad_samples,
            stream=feed.stream and msgspec.structs.replace(feed.stream, places=places),
            **({} if run.loss_scale is None else run.loss_scale.state()),
        ),
    )


def _whole(run: Run, weights: dict[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """What the ranks have parts of, put together on the first one."""
    parameters = dict(run.engine.model.named_parameters())
    whole = {}
    for name, weight in weights.items():
        merged = merge(weight.detach(), parameters[name], run.topology)
        if run.topology.rank == 0:
            whole[name] = merged.numpy()
    return whole


def check_model(folder: Path, spec: CLIPSpec) -> None:
    """A run goes on with the model it began with.

    Raises:
        ConfigError: the checkpoint in ``folder`` is of another one.
    """
    model = folder / checkpoint.MODEL
    if native.read(model / native.CONFIG_NAME) != spec:
        raise ConfigError(
            "the checkpoint is of another architecture than --model",
            where=model,
            remedy="Name the --model that the run began with, or another --output_dir.",
        )


def check_state(folder: Path, arguments: Arguments, optimizer: Optimizer) -> None:
    """It goes on with all that it had.

    Raises:
        ConfigError: the checkpoint in ``folder`` lacks what this run needs.
    """
    anew = f"Or begin another run with --model {folder / checkpoint.MODEL}."
    stored = checkpoint.read_arrays(folder / checkpoint.OPTIMIZER_NAME)
    lacking = [n for n in optimizer.parameters if any(f"{n}.{m}" not in stored for m in MOMENTS)]
    if lacking:
        raise ConfigError(
            f"the checkpoint has no optimizer's state of {len(lacking)} parameters, the first: "
            f"{lacking[0]}",
            where=folder,
            remedy=f"Lock the tower that was locked, by --lock_image or --lock_text. {anew}",
        )
    if arguments.ema_decay and not (folder / checkpoint.EMA).is_dir():
        raise ConfigError(
            "the checkpoint has no moving average to go on with",
            where=folder,
            remedy=f"Leave out --ema_decay. {anew}",
        )


def restore(run: Run, folder: Path) -> None:
    """Gives the run what the checkpoint in ``folder`` has beside the weights."""
    state = checkpoint.read_state(folder)
    if run.loss_scale is not None and state.loss_scale is not None:
        run.loss_scale = LossScale(state.loss_scale, state.good_steps)
    run.optimizer.restore(checkpoint.read_arrays(folder / checkpoint.OPTIMIZER_NAME))
    if run.average is not None:
        parameters = dict(run.engine.model.named_parameters())
        stored = checkpoint.read_arrays(folder / checkpoint.EMA / WEIGHTS_NAME)
        run.average.restore({n: cut(a, parameters[n], run.topology) for n, a in stored.items()})
