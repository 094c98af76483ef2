"""One block of the image tower, part by part, in Paddle's kernels as eager mode calls them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.contestants.serve import Works
from zoo.runtime import import_paddle
from zoo.speed.product import product


def prepare(rows: int, tokens: int, width: int, heads: int, mlp: int, activation: str) -> Works:
    """
    Args:
        rows: pictures.
        tokens: of each.
        width, heads, mlp, activation: the tower's.
    """
    paddle = import_paddle()
    import paddle.nn.functional as F

    from zoo.models.block import ACTIVATIONS
    from zoo.models.linear import affine

    act: Callable[[Any], Any] = ACTIVATIONS[activation]  # type: ignore[index]
    x, hidden = paddle.randn([rows, tokens, width]), paddle.randn([rows, tokens, mlp])
    split = paddle.randn([rows, tokens, heads, width // heads])
    scores = paddle.randn([rows, heads, tokens, tokens])
    bias, wide_bias = paddle.randn([width]), paddle.randn([mlp])
    square, up, down = (paddle.randn(s) for s in ([width, width], [width, mlp], [mlp, width]))
    eps = 1e-5

    works = {
        "q, k, v and out": lambda: [affine(x, square, bias) for _ in range(4)],
        "MLP, up": lambda: affine(x, up, wide_bias),
        "MLP, down": lambda: affine(hidden, down, bias),
        "scores": lambda: paddle.einsum("bqhd,bkhd->bhqk", split * 0.125, split),
        "softmax": lambda: F.softmax(scores),
        "weighted values": lambda: paddle.einsum("bhqk,bkhd->bqhd", scores, split),
        "activation": lambda: act(hidden),
        "two norms": lambda: [F.layer_norm(x, [width], bias, bias, eps) for _ in range(2)],
        "two residuals": lambda: [x + x, x + x],
    }

    def timed(run: Callable[[], Any]) -> Callable[[Any], None]:
        def call(_: Any) -> None:
            with paddle.no_grad():
                run()

        return call

    return {**{name: timed(run) for name, run in works.items()}, "product": product()}
