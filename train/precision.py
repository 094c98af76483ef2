"""Computing in half precision, where the device can.

What is cast is what a layer multiplies, by Paddle's auto_cast: parameters, gradients, the
optimizer's state, features, loss and logit scale are float32 at both levels. The parameters are
their own master weights, so that checkpoints, averages and ranks know nothing of all this.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import paddle

from train.flags import Arguments
from zoo.errors import NonfiniteError, UsageError

GROWS_AFTER = 2000  # steps; as paddle.amp.GradScaler
SMALLEST = 1.0


@dataclass(frozen=True, kw_only=True)
class Precision:
    """What the towers compute in: ``dtype`` at auto_cast's ``level``."""

    dtype: str = "float32"
    level: str = "O1"
    white: tuple[str, ...] = ()
    black: tuple[str, ...] = ()

    def autocast(self) -> AbstractContextManager[None]:
        if self.dtype == "float32":
            return nullcontext()
        return paddle.amp.auto_cast(
            custom_white_list=self.white or None,
            custom_black_list=self.black or None,
            level=self.level,
            dtype=self.dtype,
        )


FULL = Precision()


def find_precision(arguments: Arguments) -> Precision:
    """What the flags ask for, on the device that Paddle uses.

    Raises:
        UsageError: the device can't.
    """
    if not (arguments.fp16 or arguments.bf16):
        return FULL
    flag, dtype, can = (
        ("--fp16", "float16", paddle.amp.is_float16_supported)
        if arguments.fp16
        else ("--bf16", "bfloat16", paddle.amp.is_bfloat16_supported)
    )
    device = paddle.device.get_device()
    if device == "cpu":
        raise UsageError(
            f"{flag} on CPU: Paddle multiplies float32 only there, and its auto_cast would do "
            "nothing without a word",
            remedy=f"Leave {flag} out, or train on a GPU.",
        )
    if not can():
        raise UsageError(f"{flag}: Paddle does not compute in {dtype} on {device}")
    return Precision(
        dtype=dtype,
        level=arguments.fp16_opt_level,
        white=arguments.amp_custom_white_list,
        black=arguments.amp_custom_black_list,
    )


class LossScale:
    """The factor that keeps float16's gradients from vanishing
    (https://arxiv.org/abs/1710.03740), by the rules of paddle.amp.GradScaler.

    That class looks at one rank's gradients; here the norm over all ranks decides for all.
    """

    def __init__(self, value: float, good_steps: int = 0) -> None:
        self.value = value
        self.good_steps = good_steps

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps of it."""
        return {"loss_scale": self.value, "good_steps": self.good_steps}

    def takes(self, norm: float) -> bool:
        """Whether a step of this gradient norm is done; the factor is adapted to it.

        Raises:
            NonfiniteError: no factor is small enough.
        """
        if math.isfinite(norm):
            self.good_steps += 1
            if self.good_steps == GROWS_AFTER:
                self.value, self.good_steps = self.value * 2, 0
            return True
        self.value, self.good_steps = self.value / 2, 0
        if self.value < SMALLEST:
            raise NonfiniteError("gradients overflow float16 however small the loss is scaled")
        return False


def find_loss_scale(arguments: Arguments) -> LossScale | None:
    """What ``--fp16`` begins with; None: the loss needs no factor."""
    return LossScale(arguments.scale_loss) if arguments.fp16 else None
