"""The linear layers of both towers: the same numbers as Paddle's own, and its own where it is
quick."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.linear import Affine, Linear  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402

Arrays = list[np.ndarray]
SHAPES = ((3, 5, 7), (7, 11), (11,), (3, 5, 11))  # x, weight, bias, gradient


def arrays() -> Arrays:
    random = np.random.default_rng(0)
    return [random.normal(0, 1, shape) for shape in SHAPES]


def compute(layer: object, dtype: str) -> Arrays:
    """What a layer gives, and the gradients of its input and parameters."""
    *inputs, gradient = (paddle.to_tensor(array.astype(dtype)) for array in arrays())
    for tensor in inputs:
        tensor.stop_gradient = False
    found = layer(*inputs)
    paddle.autograd.backward([found], [gradient])
    return [found.numpy(), *(tensor.grad.numpy() for tensor in inputs)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_is_as_near_to_float64_as_paddles(dtype: str) -> None:
    x, weight, bias, gradient = arrays()
    rows = gradient.reshape(-1, 11)
    exact = [
        x @ weight + bias,
        gradient @ weight.T,
        x.reshape(-1, 7).T @ rows,
        rows.sum(axis=0),
    ]
    ours = compute(Affine.apply, dtype)
    theirs = compute(paddle.nn.functional.linear, dtype)
    for found, peer, expected in zip(ours, theirs, exact, strict=True):
        size = np.linalg.norm(expected)
        error, own = (float(np.linalg.norm(a - expected)) / size for a in (found, peer))
        assert error <= max(2 * own, 4 * float(np.finfo(dtype).eps))


def test_every_linear_layer_of_both_towers_is_one(spec: CLIPSpec) -> None:
    layers = [x for x in CLIP(spec).sublayers() if isinstance(x, paddle.nn.Linear)]
    assert {type(layer) for layer in layers} == {Linear}
    assert len(layers) == 6 * (spec.vision.layers + spec.text.layers)


@pytest.mark.parametrize("where", ["on GPU", "in a program", "on CPU"])
def test_a_layer_is_paddles_own_but_in_eager_mode_on_cpu(
    where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[str] = []
    monkeypatch.setattr(paddle.nn.Linear, "forward", lambda *_: called.append("Paddle's"))
    monkeypatch.setattr(Affine, "apply", lambda *_: called.append("ours"))
    monkeypatch.setattr(paddle, "in_dynamic_mode", lambda: where != "in a program")
    place = SimpleNamespace(is_cpu_place=lambda: where != "on GPU")
    Linear(3, 4).forward(SimpleNamespace(place=place))
    assert called == ["ours" if where == "on CPU" else "Paddle's"]
