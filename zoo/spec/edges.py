"""Sizes as picture processors write them, in transformers and in PaddleMIX alike."""

from __future__ import annotations

from typing import Any

from zoo.errors import ConfigError
from zoo.spec import Pair, Resize
from zoo.spec.fields import Fields

DEFAULT_SIZE = 224  # pixels


def take_size(
    fields: Fields, data: dict[str, Any], key: str, *, plain: Resize
) -> tuple[Pair, Resize]:
    """A size, and the mode it is resized by: ``shortest_edge`` keeps the aspect, ``height`` and
    ``width`` do not, and a plain int means ``plain``.

    Args:
        fields: from which ``key`` is taken.
        data: the object that ``fields`` takes from.
        key: ``size`` or ``crop_size``.
        plain: what an int means, and a key that is absent.
    """
    if not isinstance(data.get(key), dict):
        side = fields.positive(key, DEFAULT_SIZE)
        return (side, side), plain
    edges = fields.section(key)
    if "shortest_edge" in edges:
        side = edges.positive("shortest_edge")
        edges.finish()
        return (side, side), "shortest"
    size = (edges.positive("height"), edges.positive("width"))
    edges.finish()
    return size, "squash"


def check_sizes(resized: Pair, cropped: Pair, image_size: Pair, *, where: str) -> None:
    """Raises ConfigError unless both steps end in the size that the image tower takes."""
    if {resized, cropped} != {image_size}:
        raise ConfigError(
            f"pictures are resized to {_shown(resized)} and cropped to {_shown(cropped)}; the "
            f"image tower takes {_shown(image_size)}, and zoo resizes straight to that",
            where=where,
        )


def _shown(size: Pair) -> str:
    return f"{size[0]} x {size[1]}"
