"""PaddleNLP's ``CLIPModel`` (3.0.0b4): every tensor lies as in the native layout, under the names
of Paddle's own TransformerEncoder."""

from __future__ import annotations

from zoo.convert.tables.rows import TEXT_BLOCK, VISION_BLOCK, Format, Row, copied, module

_BLOCK = {
    "norm1": "ln_1",
    **{f"self_attn.{part}_proj": f"attn.{part}_proj" for part in ("q", "k", "v", "out")},
    "norm2": "ln_2",
    "linear1": "mlp.c_fc",
    "linear2": "mlp.c_proj",
}


def _block(foreign: str, native: str) -> tuple[Row, ...]:
    return tuple(
        row for theirs, ours in _BLOCK.items() for row in module(foreign + theirs, native + ours)
    )


PADDLENLP = Format(
    name="paddlenlp",
    family="paddlenlp",
    signatures=(
        ("vision_model.conv1.weight",),
        ("text_model.token_embedding.weight",),
    ),
    vision=(
        copied("vision_model.class_embedding", "visual.class_embedding"),
        copied("vision_model.positional_embedding.weight", "visual.positional_embedding"),
        copied("vision_projection", "visual.proj"),
        copied("vision_model.conv1.weight", "visual.conv1.weight"),
        *module("vision_model.ln_post", "visual.ln_post"),
    ),
    ln_pre=module("vision_model.ln_pre", "visual.ln_pre"),
    vision_block=_block("vision_model.transformer.layers.{i}.", VISION_BLOCK),
    text=(
        copied("text_model.positional_embedding.weight", "positional_embedding"),
        copied("text_projection", "text_projection"),
        copied("text_model.token_embedding.weight", "token_embedding.weight"),
        *module("text_model.ln_final", "ln_final"),
    ),
    text_block=_block("text_model.transformer.layers.{i}.", TEXT_BLOCK),
    scale_shape=(1,),
)
