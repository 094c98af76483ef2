"""The rows per format: which tensors of a foreign checkpoint make which native ones, and how.

A row names complete keys on both sides; ``{i}`` stands for a block's number and nothing else.
Reading a row from right to left, with its operation inverted, is the way back: there is no second
table. What a format holds beside its weights is in ``dropped``, declared and never guessed.
"""

from __future__ import annotations

from collections.abc import Collection

from zoo.convert.tables.hf import HF
from zoo.convert.tables.open_clip import OPEN_CLIP, OPEN_CLIP_CUSTOM_TEXT
from zoo.convert.tables.paddlemix import PADDLEMIX, PADDLEMIX_CUSTOM_TEXT, PADDLEMIX_PARTS
from zoo.convert.tables.paddlenlp import PADDLENLP
from zoo.convert.tables.rows import SCALE, Format, Row, digest, rows_for

__all__ = [
    "FORMATS",
    "HF",
    "OPEN_CLIP",
    "OPEN_CLIP_CUSTOM_TEXT",
    "PADDLEMIX",
    "PADDLEMIX_CUSTOM_TEXT",
    "PADDLENLP",
    "SCALE",
    "Format",
    "Row",
    "digest",
    "is_paddlenlp",
    "recognise",
    "rows_for",
]

FORMATS = (  # that are read
    OPEN_CLIP,
    OPEN_CLIP_CUSTOM_TEXT,
    HF,
    PADDLEMIX,
    PADDLEMIX_CUSTOM_TEXT,
    *PADDLEMIX_PARTS,
)


def is_paddlenlp(names: Collection[str]) -> bool:
    """Whether tensors have PaddleNLP's names, which zoo writes and does not read."""
    return any(all(key in names for key in signature) for signature in PADDLENLP.signatures)


def recognise(names: Collection[str]) -> Format | None:
    """The format that has a signature among the names; None when there is none."""
    for form in FORMATS:
        if any(all(key in names for key in signature) for signature in form.signatures):
            return form
    return None
