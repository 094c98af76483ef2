"""The rows per format: which tensors of a foreign checkpoint make which native ones, and how.

A row names complete keys on both sides; ``{i}`` stands for a block's number and nothing else.
Reading a row from right to left, with its operation inverted, is the way back: there is no second
table. What a format holds beside its weights is in ``dropped``, declared and never guessed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, fields

from zoo.convert.ops import Chain, Copy, Op, Reshape, Split, Transpose
from zoo.spec import CLIPSpec, TowerSpec


@dataclass(frozen=True)
class Row:
    """``sources`` of the foreign format become the native ``targets``."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    op: Op


@dataclass(frozen=True, kw_only=True)
class Format:
    """One foreign layout of CLIP's tensors.

    ``signature`` are keys that tell it from every other format: a checkpoint that holds them all
    is of this format. The rows of a block are templates.
    """

    name: str
    signature: tuple[str, ...]
    vision: tuple[Row, ...]
    ln_pre: tuple[Row, ...]
    vision_block: tuple[Row, ...]
    vision_layer_scale: tuple[Row, ...]
    text: tuple[Row, ...]
    text_block: tuple[Row, ...]
    text_layer_scale: tuple[Row, ...]
    dropped: frozenset[str]


def same(prefix: str, *names: str, to: str = "") -> tuple[Row, ...]:
    """Rows that only move ``prefix + name`` to ``to + name``."""
    return tuple(Row((prefix + name,), (to + name,), Copy()) for name in names)


def _norms(*names: str) -> tuple[str, ...]:
    return tuple(f"{name}.{part}" for name in names for part in ("weight", "bias"))


def _open_clip_block(foreign: str, native: str) -> tuple[Row, ...]:
    """A residual block: q, k and v lie in one packed matrix; torch's Linear is [out, in]."""
    qkv = tuple(f"{native}attn.{part}_proj" for part in "qkv")
    return (
        *same(foreign, *_norms("ln_1"), to=native),
        Row(
            (f"{foreign}attn.in_proj_weight",),
            tuple(f"{name}.weight" for name in qkv),
            Chain((Split(3), Transpose())),
        ),
        Row((f"{foreign}attn.in_proj_bias",), tuple(f"{name}.bias" for name in qkv), Split(3)),
        *(
            row
            for linear in ("attn.out_proj", "mlp.c_fc", "mlp.c_proj")
            for row in (
                Row((f"{foreign}{linear}.weight",), (f"{native}{linear}.weight",), Transpose()),
                *same(foreign, f"{linear}.bias", to=native),
            )
        ),
        *same(foreign, *_norms("ln_2"), to=native),
    )


VISION_BLOCK = "visual.transformer.resblocks.{i}."
TEXT_BLOCK = "transformer.resblocks.{i}."
LAYER_SCALE = ("ls_1.gamma", "ls_2.gamma")


def _open_clip(name: str, text: str) -> Format:
    """``CLIP`` keeps the text tower's tensors at the top; ``CustomTextCLIP`` under ``text.``."""
    return Format(
        name=name,
        signature=(
            f"{text}token_embedding.weight",
            "visual.transformer.resblocks.0.attn.in_proj_weight",
        ),
        vision=same(
            "visual.",
            *("class_embedding", "positional_embedding", "proj", "conv1.weight"),
            *_norms("ln_post"),
            to="visual.",
        ),
        ln_pre=same("visual.", *_norms("ln_pre"), to="visual."),
        vision_block=_open_clip_block(VISION_BLOCK, VISION_BLOCK),
        vision_layer_scale=same(VISION_BLOCK, *LAYER_SCALE, to=VISION_BLOCK),
        text=same(
            text,
            *("positional_embedding", "text_projection", "token_embedding.weight"),
            *_norms("ln_final"),
        ),
        text_block=_open_clip_block(text + TEXT_BLOCK, TEXT_BLOCK),
        text_layer_scale=same(text + TEXT_BLOCK, *LAYER_SCALE, to=TEXT_BLOCK),
        # Buffers of older versions, and the sizes that OpenAI's archives carry.
        dropped=frozenset({f"{text}attn_mask", "input_resolution", "context_length", "vocab_size"}),
    )


OPEN_CLIP = _open_clip("open_clip", "")
OPEN_CLIP_CUSTOM_TEXT = _open_clip("open_clip-custom-text", "text.")
FORMATS = (OPEN_CLIP, OPEN_CLIP_CUSTOM_TEXT)
SCALE = "logit_scale"  # of this name in every format


def recognise(names: Collection[str]) -> Format | None:
    """The format whose signature is among the names; None when there is none."""
    for form in FORMATS:
        if all(key in names for key in form.signature):
            return form
    return None


def rows_for(form: Format, spec: CLIPSpec, *, scale_shape: tuple[int, ...]) -> list[Row]:
    """The rows of every tensor of ``spec``, with the blocks' numbers filled in.

    Args:
        form: the foreign format.
        spec: what the checkpoint is said to hold.
        scale_shape: the shape the foreign side gives its logit scale, [] or [1].
    """
    rows: list[Row] = []
    if spec.vision is not None:
        rows += form.vision
        rows += form.ln_pre if spec.vision.ln_pre else ()
        rows += _blocks(form.vision_block, form.vision_layer_scale, spec.vision)
    if spec.text is not None:
        rows += form.text
        rows += _blocks(form.text_block, form.text_layer_scale, spec.text)
    if spec.vision is not None and spec.text is not None:
        rows.append(Row((SCALE,), (SCALE,), Reshape(scale_shape, (1,))))
    return rows


def _blocks(block: tuple[Row, ...], layer_scale: tuple[Row, ...], tower: TowerSpec) -> list[Row]:
    templates = block if tower.layer_scale is None else (*block, *layer_scale)
    return [
        Row(_numbered(row.sources, index), _numbered(row.targets, index), row.op)
        for index in range(tower.layers)
        for row in templates
    ]


def _numbered(keys: tuple[str, ...], index: int) -> tuple[str, ...]:
    return tuple(key.replace("{i}", str(index)) for key in keys)


def digest(form: Format) -> str:
    """sha256 over the table's text: it changes when a row does."""
    text = "\n".join(
        f"{field.name}: {value}"
        for field in fields(form)
        for value in (
            sorted(form.dropped) if field.name == "dropped" else getattr(form, field.name)
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()
