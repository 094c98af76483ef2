"""``python -m zoo.speed.product [--plain]``: seconds of one float32 matrix product in Paddle.

``--plain`` imports Paddle as it is, without what ``zoo.runtime`` sets. Prints a JSON list.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

from zoo.runtime import import_paddle

# The first product of ViT-B-32's MLP on 32 pictures.
ROWS, INNER, COLUMNS = 1600, 768, 3072
GFLOP = 2e-9 * ROWS * INNER * COLUMNS
SECONDS = 1.5  # of repeating it


def product(*, plain: bool = False) -> Callable[[Any], None]:
    """A call that multiplies [ROWS, INNER] by [INNER, COLUMNS], whatever it is given.

    Raises:
        NotFoundError: Paddle is not installed.
    """
    paddle = import_module("paddle") if plain else import_paddle()
    left, right = paddle.randn([ROWS, INNER]), paddle.randn([INNER, COLUMNS])

    def run(_: Any) -> None:
        paddle.matmul(left, right)

    return run


def repeat(run: Callable[[Any], None], seconds: float) -> list[float]:
    """Seconds of every call but the first, for as long as this."""
    run(None)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        started = time.perf_counter()
        run(None)
        times.append(time.perf_counter() - started)
    return times


if __name__ == "__main__":
    print(json.dumps(repeat(product(plain="--plain" in sys.argv[1:]), SECONDS)))
