"""Curves over steps as an SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT = 920, 360
LEFT, RIGHT, TOP, BOTTOM = 62, 26, 30, 46  # margins
COLOURS = ("#0b6", "#36c", "#c63", "#939")
LINES = 5  # of the grid


def plot_curves(curves: Mapping[str, Sequence[tuple[int, float]]], *, label: str) -> str:
    """An ``<svg>`` of curves, each (step, finite value) by rising step, on linear axes.

    Args:
        curves: by name; at least one point in all.
        label: of the vertical axis.
    """
    steps = [step for curve in curves.values() for step, _ in curve]
    values = [value for curve in curves.values() for _, value in curve]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    first, length = min(steps), max(max(steps) - min(steps), 1)

    def x(step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (step - first) / length

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / span

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12" role="img" aria-label="{escape(label)}">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
    ]
    for line in range(LINES + 1):
        value, step = low + span * line / LINES, first + length * line / LINES
        parts += [
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            'stroke="#ddd"/>',
            f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>',
            f'<text x="{x(step):.1f}" y="{HEIGHT - 26}" text-anchor="middle">{step:.0f}</text>',
        ]
    for number, (name, curve) in enumerate(curves.items()):
        colour = COLOURS[number % len(COLOURS)]
        points = " ".join(f"{x(step):.1f},{y(value):.1f}" for step, value in curve)
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>',
            f'<text x="{LEFT + 12 + 220 * number}" y="{HEIGHT - 8}" fill="{colour}">'
            f"{escape(name)}</text>",
        ]
    return "\n".join([*parts, f'<text x="{LEFT + 6}" y="18">{escape(label)}</text>', "</svg>"])
