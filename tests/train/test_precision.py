"""Half precision: refused where it does nothing, and the factor that float16 needs.

What auto_cast does to the layers needs a GPU and was not exercised.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from train.flags import Arguments
from train.topology import Topology
from zoo.runtime import import_paddle
from zoo.spec import CLIPSpec

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from paddle import Tensor, nn  # noqa: E402

from train.engine import Engine  # noqa: E402
from train.loss import ContrastiveLoss  # noqa: E402
from train.precision import FULL, GROWS_AFTER, LossScale, Precision, find_precision  # noqa: E402
from zoo.errors import NonfiniteError, UsageError  # noqa: E402
from zoo.models.clip import CLIP  # noqa: E402
from zoo.models.initialize import initialize  # noqa: E402
from zoo.models.text import TextTower  # noqa: E402

INF, NAN = float("inf"), float("nan")


def test_without_flags_everything_is_float32(arguments: Callable[..., Arguments]) -> None:
    assert find_precision(arguments()) == FULL


@pytest.mark.parametrize("flag", ["--fp16", "--bf16"])
def test_half_precision_is_refused_on_cpu(
    arguments: Callable[..., Arguments], monkeypatch: pytest.MonkeyPatch, flag: str
) -> None:
    monkeypatch.setattr(paddle.device, "get_device", lambda: "cpu")
    with pytest.raises(UsageError, match=f"{flag} on CPU: Paddle multiplies float32 only"):
        find_precision(arguments(flag))


def test_a_device_that_can_not_is_asked_first(
    arguments: Callable[..., Arguments], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paddle.device, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(paddle.amp, "is_bfloat16_supported", lambda: False)
    monkeypatch.setattr(paddle.amp, "is_float16_supported", lambda: True)
    with pytest.raises(UsageError, match="does not compute in bfloat16 on gpu:0"):
        find_precision(arguments("--bf16"))
    found = find_precision(
        arguments("--fp16", "--fp16_opt_level", "O2", "--amp_custom_black_list", "gelu")
    )
    assert found == Precision(dtype="float16", level="O2", black=("gelu",))


def test_autocast_gets_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}
    monkeypatch.setattr(paddle.amp, "auto_cast", lambda **options: asked.update(options))
    Precision(dtype="bfloat16", level="O2", white=("gelu",), black=("softmax",)).autocast()
    assert asked == {
        "dtype": "bfloat16",
        "level": "O2",
        "custom_white_list": ("gelu",),
        "custom_black_list": ("softmax",),
    }


@pytest.mark.parametrize(("pieces", "recompute"), [(1, False), (1, True), (2, False)])
def test_every_pass_through_the_towers_is_cast_and_nothing_behind_them(
    spec: CLIPSpec,
    batch: tuple[np.ndarray, np.ndarray],
    alone: Topology,
    monkeypatch: pytest.MonkeyPatch,
    pieces: int,
    recompute: bool,
) -> None:
    """Where a GPU would cast; the towers' features are made bfloat16 by hand."""
    is_cast = False
    towers: list[bool] = []
    behind: list[tuple[bool, object]] = []

    @contextmanager
    def cast(_: Precision) -> Iterator[None]:
        nonlocal is_cast
        is_cast = True
        yield
        is_cast = False

    def tower(layer: nn.Layer, inputs: object, features: Tensor) -> Tensor:
        towers.append(is_cast)
        return features.astype("bfloat16")

    monkeypatch.setattr(Precision, "autocast", cast)
    model = initialize(CLIP(spec), 0)
    model.visual.transformer.recompute = model.transformer.recompute = recompute
    model.visual.register_forward_post_hook(tower)
    text = TextTower.forward
    monkeypatch.setattr(
        TextTower, "forward", lambda self, tokens: tower(self, tokens, text(self, tokens))
    )
    normalize = paddle.nn.functional.normalize

    def normalized(features: Tensor) -> Tensor:
        behind.append((is_cast, features.dtype))
        return normalize(features)

    monkeypatch.setattr(paddle.nn.functional, "normalize", normalized)
    loss = ContrastiveLoss(topology=alone, local_loss=False, gather_with_grad=False)
    engine = Engine(model, loss, alone, Precision(dtype="bfloat16"))
    found = engine.backward(*map(paddle.to_tensor, batch), pieces=pieces, seed=5)
    passes = 2 * (2 * pieces - 1)
    assert towers == [True] * passes
    assert behind == [(False, paddle.float32)] * passes
    assert found.dtype == paddle.float32
    assert all(parameter.grad.dtype == paddle.float32 for parameter in model.parameters())


def test_the_factor_halves_at_once_and_doubles_in_time() -> None:
    scale = LossScale(8.0)
    assert not scale.takes(INF)
    assert not scale.takes(NAN)
    assert scale.value == 2.0
    for _ in range(GROWS_AFTER - 1):
        assert scale.takes(1.0)
    assert scale.value == 2.0
    resumed = LossScale(scale.value, scale.good_steps)
    assert resumed.takes(1.0)
    assert resumed.value == 4.0


def test_a_gradient_that_no_factor_makes_finite_stops_the_run() -> None:
    scale = LossScale(2.0)
    assert not scale.takes(INF)
    with pytest.raises(NonfiniteError, match="however small the loss is scaled"):
        scale.takes(INF)
