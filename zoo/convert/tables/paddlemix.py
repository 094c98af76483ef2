"""PaddleMIX: the native names are its own; with ``custom_text`` the text tower's are under
``text.``."""

from __future__ import annotations

from zoo.convert.tables.rows import (
    LAYER_SCALE,
    TEXT_BLOCK,
    VISION_BLOCK,
    Format,
    Row,
    module,
    same,
)
from zoo.spec.layout import LINEARS


def _block(foreign: str, native: str) -> tuple[Row, ...]:
    modules = ("ln_1", *LINEARS, "ln_2", "mlp.c_fc", "mlp.c_proj")
    return tuple(row for name in modules for row in module(foreign + name, native + name))


def _paddlemix(name: str, text: str) -> Format:
    return Format(
        name=name,
        family="paddlemix",
        signatures=(
            (
                f"{text}token_embedding.weight",
                "visual.transformer.resblocks.0.attn.q_proj.weight",
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
        scale_shape=(1,),
    )


PADDLEMIX = _paddlemix("paddlemix", "")
PADDLEMIX_CUSTOM_TEXT = _paddlemix("paddlemix-custom-text", "text.")
