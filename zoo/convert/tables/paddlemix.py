"""PaddleMIX: the native names are its own.

A tensor-parallel run leaves one file per rank, and does not put them together. The ranks share the
columns of q, k, v and of both of the MLP's layers, the rows of attention's last, and the words.
"""

from __future__ import annotations

from dataclasses import replace

from zoo.convert.tables.flat import flat
from zoo.convert.tables.rows import Format, Row, module, part_names
from zoo.spec.layout import LINEARS


def _block(foreign: str, native: str) -> tuple[Row, ...]:
    modules = ("ln_1", *LINEARS, "ln_2", "mlp.c_fc", "mlp.c_proj")
    return tuple(row for name in modules for row in module(foreign + name, native + name))


def _paddlemix(name: str, text: str) -> Format:
    return flat(name, "paddlemix", text, attention="q_proj.weight", block=_block, scale_shape=(1,))


_COLUMNS = ("attn.q_proj", "attn.k_proj", "attn.v_proj", "mlp.c_fc", "mlp.c_proj")
_SPLIT = (
    ("token_embedding.weight", 0),
    ("attn.out_proj.weight", 0),
    *((f"{name}.weight", 1) for name in _COLUMNS),
    *((f"{name}.bias", 0) for name in _COLUMNS),
)


def _in_parts(form: Format, count: int) -> Format:
    """The format as ``count`` ranks left it."""
    parts = part_names(count)
    return replace(
        form,
        name=f"{form.name}-tp{count}",
        signatures=tuple(
            tuple(part + key for key in signature for part in parts)
            for signature in form.signatures
        ),
        parts=parts,
        split=_SPLIT,
    )


PADDLEMIX = _paddlemix("paddlemix", "")
PADDLEMIX_CUSTOM_TEXT = _paddlemix("paddlemix-custom-text", "text.")
PADDLEMIX_PARTS = tuple(
    _in_parts(form, count) for form in (PADDLEMIX, PADDLEMIX_CUSTOM_TEXT) for count in (2, 4, 8)
)
