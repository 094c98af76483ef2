"""open_clip's flat names, which PaddleMIX kept: all that both tables have in common.

``CLIP`` keeps the text tower's tensors at the top; ``CustomTextCLIP``, and PaddleMIX with
``custom_text``, under ``text.``.
"""

from __future__ import annotations

from collections.abc import Callable

from zoo.convert.ops import Shape
from zoo.convert.tables.rows import LAYER_SCALE, TEXT_BLOCK, VISION_BLOCK, Format, Row, module, same


def flat(
    name: str,
    family: str,
    text: str,
    *,
    attention: str,
    block: Callable[[str, str], tuple[Row, ...]],
    scale_shape: Shape,
    dropped: frozenset[str] = frozenset(),
) -> Format:
    """A format with these names.

    Args:
        name, family, scale_shape, dropped: see ``Format``.
        text: what the text tower's keys begin with.
        attention: the weight in a block's attention that tells this format from the others.
        block: the rows of a block, of what its foreign and its native keys begin with.
    """
    return Format(
        name=name,
        family=family,
        signatures=(
            (
                f"{text}token_embedding.weight",
                f"visual.transformer.resblocks.0.attn.{attention}",
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
        vision_block=block(VISION_BLOCK, VISION_BLOCK),
        vision_layer_scale=same(VISION_BLOCK, *LAYER_SCALE, to=VISION_BLOCK),
        text=(
            *same(text, "positional_embedding", "text_projection", "token_embedding.weight"),
            *module(f"{text}ln_final", "ln_final"),
        ),
        text_block=block(text + TEXT_BLOCK, TEXT_BLOCK),
        text_layer_scale=same(text + TEXT_BLOCK, *LAYER_SCALE, to=TEXT_BLOCK),
        scale_shape=scale_shape,
        dropped=dropped,
    )
