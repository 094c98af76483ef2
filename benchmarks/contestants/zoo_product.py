"""Paddle's matrix product."""

from __future__ import annotations

from benchmarks.contestants.serve import Works
from zoo.speed.product import product


def prepare() -> Works:
    return {"product": product()}
