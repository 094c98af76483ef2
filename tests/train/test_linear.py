"""The linear layers that train: the same numbers as Paddle's own."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train.linear import Affine, QuickLinear, quicken  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
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


def test_every_linear_layer_of_both_towers_is_quickened_and_keeps_its_name(spec: CLIPSpec) -> None:
    model = initialize(CLIP(spec), 0)
    before = dict(model.named_parameters())
    after = dict(quicken(model).named_parameters())
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    kinds = [type(layer) for layer in model.sublayers()]
    assert paddle.nn.Linear not in kinds
    assert kinds.count(QuickLinear) == 6 * (spec.vision.layers + spec.text.layers)


def test_a_device_that_sums_quickly_keeps_paddles_own(
    spec: CLIPSpec, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:0")
    kinds = [type(layer) for layer in quicken(initialize(CLIP(spec), 0)).sublayers()]
    assert QuickLinear not in kinds
