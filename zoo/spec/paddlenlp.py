"""PaddleNLP's ``config.json`` of ``CLIPModel`` (3.0.0b4): transformers' fields, nested.

The flat form that older versions wrote multiplies an MLP ratio by the width; this one does not.
"""

from __future__ import annotations

from typing import Any

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, hf

CONFIG_NAME = "config.json"


def dump(spec: CLIPSpec) -> dict[str, Any]:
    """``config.json`` for a model with both towers.

    Raises:
        ConfigError: PaddleNLP has no such model.
    """
    if spec.vision is None or spec.text is None:
        raise ConfigError("PaddleNLP's CLIPModel has both towers; this model has one")
    return hf.dump(spec)
