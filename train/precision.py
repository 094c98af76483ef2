"""Computing in half precision, where the device can.

What is cast is what the towers compute, by Paddle's auto_cast: parameters, gradients, the
optimizer's state, unit features, loss and logit scale are float32 at both levels. The parameters
are their own master weights, so that checkpoints, averages and ranks know nothing of all this.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn

from train.flags import Arguments
from zoo.errors import NonfiniteError, UsageError
from zoo.models.clip import CLIP

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


class Towers(nn.Layer):
    """A model whose towers compute in a precision, and all behind them in its parameters' type:
    Paddle's auto_cast would normalise in half.
    """

    def __init__(self, model: CLIP, precision: Precision) -> None:
        super().__init__()
        self._model = model
        self._precision = precision

    def forward(self, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """float [B, 3, height, width], int64 [B, L] -> unit features [B, E] twice, and the logits'
        factor [1]"""
        scale = self._model.logit_scale
        with self._precision.autocast():
            images, texts = self._model.encode_image(pixels), self._model.encode_text(tokens)
        unit = [F.normalize(features.astype(scale.dtype)) for features in (images, texts)]
        return *unit, scale.exp()


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
