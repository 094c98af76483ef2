"""open_clip: torch's packed attention, in which q, k and v lie in one matrix.

``CLIP`` keeps the text tower's tensors at the top; ``CustomTextCLIP`` under ``text.``.
"""

from __future__ import annotations

from zoo.convert.ops import Chain, Split, Transpose
from zoo.convert.tables.rows import (
    LAYER_SCALE,
    TEXT_BLOCK,
    VISION_BLOCK,
    Format,
    Row,
    module,
    same,
    torch_linear,
)


def _block(foreign: str, native: str) -> tuple[Row, ...]:
    qkv = tuple(f"{native}attn.{part}_proj" for part in "qkv")
    return (
        *module(f"{foreign}ln_1", f"{native}ln_1"),
        Row(
            (f"{foreign}attn.in_proj_weight",),
            tuple(f"{name}.weight" for name in qkv),
            Chain((Split(3), Transpose())),
        ),
        Row((f"{foreign}attn.in_proj_bias",), tuple(f"{name}.bias" for name in qkv), Split(3)),
        *(
            row
            for linear in ("attn.out_proj", "mlp.c_fc", "mlp.c_proj")
            for row in torch_linear(foreign + linear, native + linear)
        ),
        *module(f"{foreign}ln_2", f"{native}ln_2"),
    )


def _open_clip(name: str, text: str) -> Format:
    return Format(
        name=name,
        family="open_clip",
        signatures=(
            (
                f"{text}token_embedding.weight",
                "visual.transformer.resblocks.0.attn.in_proj_weight",
            ),
        ),
        vision=(
            *same(
                "visual.",
                *("class_embedding", "positional_embedding", "proj", "conv1.weight"),
                to="visual.",
            ),
            *module("visual.ln_post", "visual.ln_post"),
        ),
        ln_pre=module("visual.ln_pre", "visual.ln_pre"),
        vision_block=_block(VISION_BLOCK, VISION_BLOCK),
        vision_layer_scale=same(VISION_BLOCK, *LAYER_SCALE, to=VISION_BLOCK),
        text=(
            *same(text, "positional_embedding", "text_projection", "token_embedding.weight"),
            *module(f"{text}ln_final", "ln_final"),
        ),
        text_block=_block(text + TEXT_BLOCK, TEXT_BLOCK),
        text_layer_scale=same(text + TEXT_BLOCK, *LAYER_SCALE, to=TEXT_BLOCK),
        scale_shape=(),
        # Buffers of older versions, and the sizes that OpenAI's archives carry.
        dropped=frozenset({f"{text}attn_mask", "input_resolution", "context_length", "vocab_size"}),
    )


OPEN_CLIP = _open_clip("open_clip", "")
OPEN_CLIP_CUSTOM_TEXT = _open_clip("open_clip-custom-text", "text.")
