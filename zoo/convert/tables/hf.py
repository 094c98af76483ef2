"""Hugging Face transformers: ``CLIPModel``, and each tower alone as ``...ModelWithProjection``.

Both projections are Linear layers there, so they are transposed too; ``pre_layrnorm`` is its
spelling.
"""

from __future__ import annotations

from zoo.convert.tables.rows import (
    TEXT_BLOCK,
    VISION_BLOCK,
    Format,
    Row,
    copied,
    module,
    torch_linear,
    transposed,
)

_LINEARS = {
    **{f"self_attn.{part}_proj": f"attn.{part}_proj" for part in ("q", "k", "v", "out")},
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def _block(foreign: str, native: str) -> tuple[Row, ...]:
    return (
        *module(f"{foreign}layer_norm1", f"{native}ln_1"),
        *(
            row
            for theirs, ours in _LINEARS.items()
            for row in torch_linear(foreign + theirs, native + ours)
        ),
        *module(f"{foreign}layer_norm2", f"{native}ln_2"),
    )


_VISION, _TEXT = "vision_model.embeddings.", "text_model.embeddings."

HF = Format(
    name="hf",
    family="hf",
    signatures=((f"{_VISION}class_embedding",), (f"{_TEXT}token_embedding.weight",)),
    vision=(
        copied(f"{_VISION}class_embedding", "visual.class_embedding"),
        copied(f"{_VISION}position_embedding.weight", "visual.positional_embedding"),
        transposed("visual_projection.weight", "visual.proj"),
        copied(f"{_VISION}patch_embedding.weight", "visual.conv1.weight"),
        *module("vision_model.post_layernorm", "visual.ln_post"),
    ),
    ln_pre=module("vision_model.pre_layrnorm", "visual.ln_pre"),
    vision_block=_block("vision_model.encoder.layers.{i}.", VISION_BLOCK),
    text=(
        copied(f"{_TEXT}position_embedding.weight", "positional_embedding"),
        transposed("text_projection.weight", "text_projection"),
        copied(f"{_TEXT}token_embedding.weight", "token_embedding.weight"),
        *module("text_model.final_layer_norm", "ln_final"),
    ),
    text_block=_block("text_model.encoder.layers.{i}.", TEXT_BLOCK),
    scale_shape=(),
    # Counts from 0, which transformers stored until 4.31.
    dropped=frozenset({f"{_VISION}position_ids", f"{_TEXT}position_ids"}),
)
