"""The matrix product of ``zoo.speed.product`` in torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zoo.speed.product import COLUMNS, INNER, ROWS
from zoo.verify.reference.libraries import torch


def product() -> Callable[[Any], None]:
    left, right = torch.randn(ROWS, INNER), torch.randn(INNER, COLUMNS)

    def run(_: Any) -> None:
        torch.mm(left, right)

    return run
