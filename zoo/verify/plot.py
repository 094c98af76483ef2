"""Errors per layer as an SVG: ours, the reference's own float32, and the band."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from zoo.verify.compare import LayerError

WIDTH, HEIGHT = 920, 320
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 46  # margins


def plot_layers(layers: Sequence[LayerError]) -> str:
    """An ``<svg>``: one place per layer on a linear axis, relative RMS error on a logarithmic one.

    A value of 0 lies on the lower edge; one that is not finite on the upper.
    """
    low, high = _decades(layers)

    def x(place: int) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (place + 0.5) / len(layers)

    def y(error: float) -> float:
        if not math.isfinite(error):
            return TOP
        share = (math.log10(max(error, 10.0**low)) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(share, 1.0)

    bound = [(x(i), y(layer.bound)) for i, layer in enumerate(layers)]
    floor = [(LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM)]
    band = [floor[0], (LEFT, bound[0][1]), *bound, (WIDTH - RIGHT, bound[-1][1]), floor[1]]
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="relative error per layer">',
        *_axis(low, high, y),
        f'<polygon class="band" points="{_points(band)}"/>',
        *(
            _line(name, [(x(i), y(getattr(layers[i], name))) for i in places])
            for places in _towers(layers).values()
            for name in ("reference", "ours")
        ),
        *(
            f'<circle class="{"in" if layer.inside else "out"}" cx="{x(i):.1f}" '
            f'cy="{y(layer.ours):.1f}" r="3"><title>{escape(_label(layer))}</title></circle>'
            for i, layer in enumerate(layers)
        ),
        *_labels(layers, x),
        "</svg>",
    ]
    return "\n".join(parts)


def _decades(layers: Sequence[LayerError]) -> tuple[int, int]:
    """The powers of ten that hold every finite error."""
    values = [v for layer in layers for v in (layer.ours, layer.reference, layer.bound)]
    finite = [value for value in values if math.isfinite(value) and value > 0]
    return math.floor(math.log10(min(finite))), math.floor(math.log10(max(finite))) + 1


def _axis(low: int, high: int, y: Callable[[float], float]) -> list[str]:
    lines = []
    for power in range(low, high + 1):
        at = y(10.0**power)
        lines += [
            f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}"/>',
            f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">1e{power}</text>',
        ]
    return lines


def _towers(layers: Sequence[LayerError]) -> dict[str, list[int]]:
    """The places of each tower's layers; lines do not run from one to the next."""
    towers: dict[str, list[int]] = {}
    for place, layer in enumerate(layers):
        towers.setdefault(layer.layer.partition(".")[0], []).append(place)
    return towers


NAMES = {"visual": "image tower", "text": "text tower", "logits": "logits"}


def _labels(layers: Sequence[LayerError], x: Callable[[int], float]) -> list[str]:
    """The towers' names below their layers, and an edge where each begins."""
    labels = []
    for tower, places in _towers(layers).items():
        last = places[-1] == len(layers) - 1 and len(places) == 1
        middle = WIDTH - RIGHT if last else (x(places[0]) + x(places[-1])) / 2
        anchor = "end" if last else "middle"
        labels.append(
            f'<text x="{middle:.1f}" y="{HEIGHT - 12}" text-anchor="{anchor}">{NAMES[tower]}</text>'
        )
        if places[0]:
            edge = (x(places[0]) + x(places[0] - 1)) / 2
            labels.append(
                f'<line class="grid" x1="{edge:.1f}" x2="{edge:.1f}" y1="{TOP}" '
                f'y2="{HEIGHT - BOTTOM}"/>'
            )
    return labels


def _label(layer: LayerError) -> str:
    return (
        f"{layer.layer}: ours {layer.ours:.3g}, reference {layer.reference:.3g}, "
        f"bound {layer.bound:.3g}, largest difference {layer.largest:.3g}"
    )


def _line(name: str, points: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="{name}" points="{_points(points)}"/>'


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in points)
