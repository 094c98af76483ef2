"""The optimizers against their definitions, in float64, and clipping."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train.flags import Arguments  # noqa: E402
from train.groups import Group  # noqa: E402
from train.optimizer import Optimizer, share_out  # noqa: E402
from train.topology import Topology  # noqa: E402

RATES = (0.01, 0.03, 0.02)
EPS = float(np.finfo(np.float32).eps)


def parameter(seed: int) -> paddle.Tensor:
    values = np.random.default_rng(seed).normal(0, 1, (3, 4)).astype(np.float32)
    return paddle.create_parameter([3, 4], "float32", attr=paddle.nn.initializer.Assign(values))


def gradient(step: int, name: str) -> np.ndarray:
    return np.random.default_rng([step, ord(name)]).normal(0, 1, (3, 4)).astype(np.float32)


def set_gradients(parameters: dict[str, paddle.Tensor], step: int) -> None:
    for name, tensor in parameters.items():
        tensor.grad = paddle.to_tensor(gradient(step, name))


def make(arguments: Arguments, alone: Topology) -> Optimizer:
    groups = [
        Group(parameters={"a": parameter(1)}, factor=1.0, decay=0.1),
        Group(parameters={"b": parameter(2)}, factor=0.5, decay=0.0),
    ]
    return Optimizer(groups, arguments, alone)


def adamw(p: np.ndarray, name: str, factor: float, decay: float) -> np.ndarray:
    """Decoupled weight decay (https://arxiv.org/abs/1711.05101), algorithm 2; torch's AdamW."""
    p = p.astype(np.float64)
    m = v = np.zeros_like(p)
    for t, rate in enumerate(RATES, start=1):
        g, rate = gradient(t, name).astype(np.float64), rate * factor
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        p = p * (1 - rate * decay)
        p = p - rate * (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
    return p


def lamb(p: np.ndarray, name: str, factor: float, decay: float) -> np.ndarray:
    """LAMB (https://arxiv.org/abs/1904.00962), algorithm 2; as in Paddle, a parameter that does not
    decay takes AdamW's step."""
    p = p.astype(np.float64)
    m = v = np.zeros_like(p)
    for t, rate in enumerate(RATES, start=1):
        g = gradient(t, name).astype(np.float64)
        m, v = 0.8 * m + 0.2 * g, 0.95 * v + 0.05 * g * g
        step = (m / (1 - 0.8**t)) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3) + decay * p
        trust = np.linalg.norm(p) / np.linalg.norm(step) if decay else 1.0
        p = p - rate * factor * trust * step
    return p


CONSTANTS = ("--adam_beta1", 0.8, "--adam_beta2", 0.95, "--adam_epsilon", 1e-3)


@pytest.mark.parametrize(("name", "formula"), [("adamw", adamw), ("lamb", lamb)])
def test_steps_are_the_definitions(
    arguments: Callable[..., Arguments],
    alone: Topology,
    name: str,
    formula: Callable[..., np.ndarray],
) -> None:
    optimizer = make(arguments("--optimizer", name, *CONSTANTS), alone)
    before = {n: p.numpy() for n, p in optimizer.parameters.items()}
    for step, rate in enumerate(RATES, start=1):
        set_gradients(optimizer.parameters, step)
        optimizer.step(rate)
    for n, factor, decay in (("a", 1.0, 0.1), ("b", 0.5, 0.0)):
        expected = formula(before[n], n, factor, decay)
        # Three steps of a dozen roundings each, on values of about 1.
        np.testing.assert_allclose(optimizer.parameters[n].numpy(), expected, rtol=0, atol=40 * EPS)


def test_a_step_leaves_no_gradient(arguments: Callable[..., Arguments], alone: Topology) -> None:
    optimizer = make(arguments(), alone)
    set_gradients(optimizer.parameters, 1)
    optimizer.step(0.1)
    assert all(p.grad is None for p in optimizer.parameters.values())


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_a_restored_optimizer_goes_on_to_the_bit(
    arguments: Callable[..., Arguments], alone: Topology, name: str
) -> None:
    whole = make(arguments("--optimizer", name), alone)
    for step in (1, 2):
        set_gradients(whole.parameters, step)
        whole.step(0.01)
    other = make(arguments("--optimizer", name), alone)
    for n, p in whole.parameters.items():
        other.parameters[n].set_value(p)
    state = whole.state()
    moments = {"a.moment1", "a.moment2", "b.moment1", "b.moment2"}
    assert state.keys() == moments | {"beta1_pow", "beta2_pow"}
    other.restore(state)
    for optimizer in (whole, other):
        set_gradients(optimizer.parameters, 3)
        optimizer.step(0.01)
    for n, p in whole.parameters.items():
        np.testing.assert_array_equal(other.parameters[n].numpy(), p.numpy())


def test_a_state_before_the_first_step_is_that_of_a_start(
    arguments: Callable[..., Arguments], alone: Topology
) -> None:
    fresh, restored = make(arguments(), alone), make(arguments(), alone)
    restored.restore(fresh.state())
    for optimizer in (fresh, restored):
        set_gradients(optimizer.parameters, 1)
        optimizer.step(0.01)
    for n, p in fresh.parameters.items():
        np.testing.assert_array_equal(restored.parameters[n].numpy(), p.numpy())


def test_clipping_is_over_all_gradients_together(
    arguments: Callable[..., Arguments], alone: Topology
) -> None:
    optimizer = make(arguments(), alone)
    set_gradients(optimizer.parameters, 1)
    before = {n: p.grad.numpy().astype(np.float64) for n, p in optimizer.parameters.items()}
    norm = np.sqrt(sum((g**2).sum() for g in before.values()))
    assert optimizer.clip(0.5) == pytest.approx(norm, rel=24 * EPS)
    for n, p in optimizer.parameters.items():
        np.testing.assert_allclose(p.grad.numpy(), before[n] * 0.5 / norm, rtol=30 * EPS)


@pytest.mark.parametrize("largest", [0.0, 1e3])
def test_small_gradients_and_no_limit_change_nothing(
    arguments: Callable[..., Arguments], alone: Topology, largest: float
) -> None:
    optimizer = make(arguments(), alone)
    set_gradients(optimizer.parameters, 1)
    optimizer.clip(largest)
    np.testing.assert_array_equal(optimizer.parameters["a"].grad.numpy(), gradient(1, "a"))


def test_shards_are_about_equal_and_complete() -> None:
    sizes = {"a": 50, "b": 30, "c": 30, "d": 5, "e": 5}
    owner = share_out(sizes, 2)
    loads = [sum(size for name, size in sizes.items() if owner[name] == s) for s in (0, 1)]
    assert owner.keys() == sizes.keys()
    assert sorted(loads) == [60, 60]
