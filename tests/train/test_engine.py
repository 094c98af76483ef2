"""Gradients of one process: in one pass, in pieces, with recomputing; test_ranks.py has several."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train.engine import Engine  # noqa: E402
from train.loss import ContrastiveLoss  # noqa: E402
from train.topology import Topology  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402

Gradients = dict[str, np.ndarray]
Batch = tuple[np.ndarray, np.ndarray]
# Relative to a tensor's largest gradient: float32, and sums over 8 pairs, 9 tokens, 50 units.
CLOSE = 100 * float(np.finfo(np.float32).eps)


@pytest.fixture
def gradients(batch: Batch, alone: Topology) -> Callable[..., tuple[float, Gradients]]:
    def compute(
        spec: CLIPSpec, *, pieces: int, recompute: bool = False, lock: str | None = None
    ) -> tuple[float, Gradients]:
        model = initialize(CLIP(spec), 0)
        model.visual.transformer.recompute = model.transformer.recompute = recompute
        for name, parameter in model.named_parameters():
            parameter.stop_gradient = lock is not None and name.startswith(lock)
        loss = ContrastiveLoss(topology=alone, local_loss=False, gather_with_grad=False)
        value = Engine(model, loss, alone).backward(
            *map(paddle.to_tensor, batch), pieces=pieces, seed=5
        )
        return float(value), {
            name: parameter.grad.numpy()
            for name, parameter in model.named_parameters()
            if not parameter.stop_gradient
        }

    return compute


def compare(ours: Gradients, expected: Gradients) -> None:
    assert ours.keys() == expected.keys()
    largest = max(float(np.abs(g).max()) for g in expected.values())
    for name, gradient in expected.items():
        # The key bias has no gradient but rounding.
        scale = largest if name.endswith("k_proj.bias") else float(np.abs(gradient).max())
        np.testing.assert_allclose(ours[name], gradient, rtol=0, atol=CLOSE * scale, err_msg=name)


@pytest.mark.parametrize("pieces", [2, 4, 8])
def test_pieces_keep_the_whole_batchs_negatives(
    spec: CLIPSpec, gradients: Callable[..., tuple[float, Gradients]], pieces: int
) -> None:
    whole, expected = gradients(spec, pieces=1)
    loss, found = gradients(spec, pieces=pieces)
    assert loss == pytest.approx(whole, rel=CLOSE)
    compare(found, expected)


@pytest.mark.parametrize("pieces", [1, 2])
def test_recomputing_changes_nothing(
    spec: CLIPSpec, gradients: Callable[..., tuple[float, Gradients]], pieces: int
) -> None:
    loss, expected = gradients(spec, pieces=pieces)
    again, found = gradients(spec, pieces=pieces, recompute=True)
    assert again == loss
    for name, gradient in expected.items():
        np.testing.assert_array_equal(found[name], gradient, err_msg=name)


def test_both_passes_over_a_piece_drop_the_same_patches(
    spec: CLIPSpec, gradients: Callable[..., tuple[float, Gradients]], batch: Batch, alone: Topology
) -> None:
    """The loss that is told is that of the features whose gradients are taken."""
    dropping = replace(spec, vision=replace(spec.vision, patch_dropout=0.5))
    _, found = gradients(dropping, pieces=2)
    model = initialize(CLIP(dropping), 0)
    parts = [paddle.to_tensor(array).chunk(2) for array in batch]
    features = []
    for i, part in enumerate(zip(*parts, strict=True)):
        paddle.seed(5 + i)
        features.append(model(*part)[:2])
    images, texts = map(paddle.concat, zip(*features, strict=True))
    loss = ContrastiveLoss(topology=alone, local_loss=False, gather_with_grad=False)
    loss(images, texts, model.logit_scale.exp()).backward()
    compare(found, {name: p.grad.numpy() for name, p in model.named_parameters()})


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_locked_tower_gets_no_gradient(
    spec: CLIPSpec, gradients: Callable[..., tuple[float, Gradients]], pieces: int
) -> None:
    _, expected = gradients(spec, pieces=1)
    _, found = gradients(spec, pieces=pieces, lock="visual.")
    compare(found, {n: g for n, g in expected.items() if not n.startswith("visual.")})
