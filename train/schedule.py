"""The learning rate of every step, as open_clip has it."""

from __future__ import annotations

import math


def learning_rate(step: int, *, base: float, warmup: int, steps: int) -> float:
    """Linear from ``base / warmup`` to ``base``, then half a cosine towards 0.

    Args:
        step: how many steps were done before, from 0.
        base: the rate that the warm-up reaches in its last step.
        warmup: steps of the warm-up.
        steps: of the whole training.
    """
    if step < warmup:
        return base * (step + 1) / warmup
    return base * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (steps - warmup)))
