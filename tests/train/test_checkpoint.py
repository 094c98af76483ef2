"""A checkpoint is a zoo folder: it loads, climbs the first rungs, and goes back to open_clip."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

import zoo  # noqa: E402
from train import checkpoint  # noqa: E402
from train.checkpoint import Snapshot, State  # noqa: E402
from zoo.errors import FormatError, NonfiniteError  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402


@pytest.fixture
def snapshot(spec: CLIPSpec) -> Snapshot:
    weights = {n: p.numpy() for n, p in initialize(CLIP(spec), 1).named_parameters()}
    return Snapshot(
        name="small",
        spec=spec,
        weights=weights,
        ema=None,
        optimizer={"visual.proj.moment1": np.ones((2, 3), np.float32)},
        state=State(step=7, batch=8, samples=40, seed=1),
    )


def test_what_was_saved_is_read(snapshot: Snapshot, tmp_path: Path) -> None:
    folder = checkpoint.save(tmp_path / "run", snapshot, command=["train"], keep=None)
    assert folder.name == "checkpoint-7"
    assert checkpoint.read_state(folder) == snapshot.state
    stored = checkpoint.read_arrays(folder / checkpoint.OPTIMIZER_NAME)
    np.testing.assert_array_equal(stored["visual.proj.moment1"], 1)


def test_its_model_loads_and_climbs(
    snapshot: Snapshot, tmp_path: Path, run_zoo: Callable[..., object]
) -> None:
    folder = checkpoint.save(tmp_path / "run", snapshot, command=["train"], keep=None)
    model, _, _ = zoo.load(folder / checkpoint.MODEL)
    for name, parameter in model.named_parameters():
        np.testing.assert_array_equal(parameter.numpy(), snapshot.weights[name])
    ran = run_zoo("verify", folder / checkpoint.MODEL, "--upto", "structure")
    assert ran.code == 0, ran.stderr


def test_a_broken_weight_is_not_kept(snapshot: Snapshot, tmp_path: Path) -> None:
    checkpoint.save(tmp_path, snapshot, command=["train"], keep=1)
    broken = snapshot.weights["visual.proj"].copy()
    broken[0, 0] = np.nan
    later = replace(
        snapshot,
        weights=dict(snapshot.weights) | {"visual.proj": broken},
        state=State(step=8, batch=8, samples=40, seed=1),
    )
    with pytest.raises(NonfiniteError, match="1 values are NaN"):
        checkpoint.save(tmp_path, later, command=["train"], keep=1)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-7"]


def test_the_newest_is_the_one_with_most_steps(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-x", ".checkpoint-11.partial"):
        (tmp_path / name).mkdir()
    assert checkpoint.find_checkpoint("true", tmp_path).name == "checkpoint-10"


@pytest.mark.parametrize("text", ["", "{", '{"step": 1}', '{"step": "x"}'])
def test_a_damaged_state_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / checkpoint.STATE_NAME).write_text(text)
    with pytest.raises(FormatError, match="damaged"):
        checkpoint.read_state(tmp_path)


def test_what_a_dead_run_left_goes(tmp_path: Path) -> None:
    for name in (".checkpoint-3.partial", "checkpoint-2", ".cache"):
        (tmp_path / name).mkdir()
    (tmp_path / ".run.lock").touch()
    with checkpoint.owned(tmp_path, print):
        assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-2", ".cache", ".run.lock"}
    assert {path.name for path in tmp_path.iterdir()} == {"checkpoint-2", ".cache"}


def test_two_runs_do_not_share_a_folder(tmp_path: Path) -> None:
    said: list[str] = []
    order: list[str] = []

    def second() -> None:
        with checkpoint.owned(tmp_path, said.append):
            order.append("second")

    with checkpoint.owned(tmp_path, print):
        waiting = Thread(target=second)
        waiting.start()
        while not said:
            time.sleep(0.01)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert said == ["another process is using run; waiting"]
