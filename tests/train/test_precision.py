"""Half precision: refused where it does nothing, and the factor that float16 needs.

What auto_cast does to the layers needs a GPU and was not exercised.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from train.flags import Arguments
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()

from train.precision import FULL, GROWS_AFTER, LossScale, Precision, find_precision  # noqa: E402
from zoo.errors import NonfiniteError, UsageError  # noqa: E402

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
