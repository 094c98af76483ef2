"""The same weights, the same batches of real pictures: our loss curve beside open_clip's.

Ours may be twice as far from open_clip's float64 curve as its own float32 curve is.
"""

# ruff: noqa: E402 - without paddle and torch there is nothing to import, and nothing to test
from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = [pytest.mark.reference, pytest.mark.paddle]
paddle = import_paddle()
pytest.importorskip("sklearn", reason="the extra `reference` is not installed")

from PIL import Image
from safetensors.numpy import save_file

from tools.train_tiny import CLASSES, TEMPLATES, digits, split
from train.arguments import parse
from train.engine import Engine
from train.groups import parameter_groups
from train.loss import ContrastiveLoss
from train.optimizer import Optimizer
from train.plot import plot_curves
from train.schedule import learning_rate
from train.step import LARGEST_SCALE
from train.topology import Topology
from zoo.convert.bundled import bundled_checkpoint
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer
from zoo.models.clip import CLIP
from zoo.models.initialize import initialize
from zoo.models.loading import load_checkpoint
from zoo.spec import native
from zoo.talk import Silence

ROOT = Path(__file__).parents[2]
BATCH = 32
PRECISIONS = ("float32", "float64")
RECIPE = {
    "learning_rate": 5e-4,
    "weight_decay": 0.2,
    "beta1": 0.9,
    "beta2": 0.98,
    "epsilon": 1e-6,
    "max_grad_norm": 1.0,
}


def batches(model: CLIP, steps: int) -> dict[str, np.ndarray]:
    """Pictures and captions of the digits to train on, and which of them each step takes."""
    pictures, labels = digits()
    training, _ = split(len(labels))
    preprocess, tokenizer = Preprocess(model.spec.preprocess), Tokenizer()
    captions = [TEMPLATES[i % 7].format(CLASSES[label]) for i, label in enumerate(labels[training])]
    random = np.random.default_rng(0)
    return {
        "pixels": np.stack([preprocess(Image.fromarray(p)) for p in pictures[training]]),
        "tokens": tokenizer(captions),
        "order": np.stack(
            [random.choice(len(training), BATCH, replace=False) for _ in range(steps)]
        ),
    }


def ours(model: CLIP, data: dict[str, np.ndarray], warmup: int, alone: Topology) -> list[float]:
    words = [
        *(f"--{name}={RECIPE[name]}" for name in ("learning_rate", "weight_decay")),
        *(f"--adam_{name}={RECIPE[name]}" for name in ("beta1", "beta2", "epsilon")),
    ]
    arguments = parse(["--model=m", "--output_dir=o", *words])
    loss = ContrastiveLoss(topology=alone, local_loss=False, gather_with_grad=False)
    optimizer = Optimizer(parameter_groups(model, arguments), arguments, alone)
    engine = Engine(model, loss, alone)
    curve = []
    for step, indices in enumerate(data["order"]):
        batch = [paddle.to_tensor(data[name][indices]) for name in ("pixels", "tokens")]
        curve.append(float(engine.backward(*batch, pieces=1, seed=0)))
        optimizer.clip(RECIPE["max_grad_norm"])
        rate = learning_rate(
            step, base=RECIPE["learning_rate"], warmup=warmup, steps=len(data["order"])
        )
        optimizer.step(rate)
        with paddle.no_grad():
            model.logit_scale.clip_(0.0, LARGEST_SCALE)
    return curve


@pytest.fixture
def curves(tmp_path: Path, alone: Topology) -> Callable[[CLIP, int], dict[str, np.ndarray]]:
    """The three curves: ours, open_clip's in float32, open_clip's in float64."""

    def run(model: CLIP, steps: int) -> dict[str, np.ndarray]:
        data = batches(model, steps)
        warmup = steps // 5
        save_file(data, tmp_path / "batches.safetensors")
        weights = {name: parameter.numpy() for name, parameter in model.named_parameters()}
        save_file(weights, tmp_path / "weights.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(native.dump(model.spec)))
        (tmp_path / "recipe.json").write_text(json.dumps(RECIPE | {"warmup": warmup}))
        subprocess.run(
            [sys.executable, Path(__file__).with_name("open_clip_run.py"), tmp_path, *PRECISIONS],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=True,
            timeout=900,
        )
        theirs = {name: np.load(tmp_path / f"{name}.npy") for name in PRECISIONS}
        found = theirs | {"ours": np.array(ours(model, data, warmup, alone))}
        np.save(tmp_path / "ours.npy", found["ours"])
        points = {name: list(enumerate(map(float, curve))) for name, curve in found.items()}
        (tmp_path / "curves.svg").write_text(plot_curves(points, label="loss over steps"))
        return found

    return run


def distance(curve: np.ndarray, exact: np.ndarray) -> float:
    """RMS over the steps."""
    return float(np.sqrt(np.mean((curve - exact) ** 2)))


@pytest.mark.parametrize("steps", [pytest.param(10), pytest.param(200, marks=pytest.mark.long)])
@pytest.mark.parametrize("pretrained", [False, True], ids=["from scratch", "fine-tuning"])
def test_the_loss_curve_is_open_clips(
    curves: Callable[[CLIP, int], dict[str, np.ndarray]], steps: int, pretrained: bool
) -> None:
    folder = bundled_checkpoint(Silence())
    if pretrained:
        model = load_checkpoint(folder)
        model.train()
    else:
        model = initialize(CLIP(native.read(folder / "config.json")), 0)
    found = curves(model, steps)
    exact = found["float64"]
    theirs, our = (distance(found[name], exact) for name in ("float32", "ours"))
    print(
        f"{steps} steps: ours {our:.3g}, open_clip's float32 {theirs:.3g}, ratio {our / theirs:.2f}"
    )
    if steps >= 200:
        assert exact[-20:].mean() < exact[:20].mean()  # it trains
    assert our <= 2 * theirs
