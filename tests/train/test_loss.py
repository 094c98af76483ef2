"""The loss against its definition; test_ranks.py has it over several ranks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train.loss import ContrastiveLoss  # noqa: E402
from train.topology import Topology  # noqa: E402
from zoo.errors import UsageError  # noqa: E402

EPS = float(np.finfo(np.float32).eps)


def defined(images: np.ndarray, texts: np.ndarray, scale: float) -> float:
    """Figure 3 of the paper, in float64."""
    logits = scale * images @ texts.T

    def cross_entropy(x: np.ndarray) -> float:
        return float(np.mean(np.log(np.exp(x).sum(axis=1)) - np.diag(x)))

    return (cross_entropy(logits) + cross_entropy(logits.T)) / 2


@pytest.mark.parametrize(("local", "gather"), list(product([False, True], repeat=2)))
def test_on_one_rank_it_is_the_definition(alone: Topology, local: bool, gather: bool) -> None:
    random = np.random.default_rng(0)
    images, texts = random.normal(0, 1, (2, 6, 5)).astype(np.float32)
    images, texts = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (images, texts))
    loss = ContrastiveLoss(topology=alone, local_loss=local, gather_with_grad=gather)
    found = float(loss(*map(paddle.to_tensor, (images, texts)), paddle.to_tensor([10.0])))
    expected = defined(images.astype(np.float64), texts.astype(np.float64), 10.0)
    assert found == pytest.approx(expected, abs=50 * EPS)  # logits of up to 10, sums of 5


def test_the_combination_that_trains_another_objective_is_refused() -> None:
    two = Topology(rank=0, data=1, sharding=2)
    with pytest.raises(UsageError, match="trains another objective"):
        ContrastiveLoss(topology=two, local_loss=True, gather_with_grad=False)
    for local, gather in ((False, False), (False, True), (True, True)):
        ContrastiveLoss(topology=two, local_loss=local, gather_with_grad=gather)
