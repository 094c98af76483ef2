"""Trustworthy CLIP weights for PaddlePaddle.

    import zoo
    model, preprocess, tokenizer = zoo.load("laion/CLIP-ViT-B-32-laion2B-s34B-b79K")

The names below are the public ones; each is imported when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.api import convert_checkpoint, get_model, list_models, load, verify_checkpoint

_HOMES = {
    "load": "zoo.api",
    "convert_checkpoint": "zoo.api",
    "verify_checkpoint": "zoo.api",
    "list_models": "zoo.api",
    "get_model": "zoo.api",
}

__all__ = ["convert_checkpoint", "get_model", "list_models", "load", "verify_checkpoint"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'zoo' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
