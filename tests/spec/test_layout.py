from __future__ import annotations

from dataclasses import replace

import pytest

from zoo.spec import CLIPSpec, TextSpec, VisionSpec
from zoo.spec.layout import dimensions, native_layout, native_shapes

# All widths differ, so that no name can stand for another.
VISION = VisionSpec(
    width=12,
    layers=1,
    heads=3,
    mlp_width=31,
    activation="gelu",
    norm_eps=1e-5,
    layer_scale=None,
    image_size=(14, 21),
    patch_size=(2, 3),
    ln_pre=True,
    patch_dropout=0.0,
)
TEXT = TextSpec(
    width=10,
    layers=1,
    heads=2,
    mlp_width=41,
    activation="gelu",
    norm_eps=1e-5,
    layer_scale=None,
    context_length=7,
    vocab_size=97,
)
SPEC = CLIPSpec(embed_dim=5, vision=VISION, text=TEXT, preprocess=None)


def block(prefix: str, width: int, mlp: int) -> dict[str, tuple[int, ...]]:
    """A block as PaddleMIX has it: q, k and v apart, Linear weights [in, out]."""
    shapes: dict[str, tuple[int, ...]] = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.q_proj.weight": (width, width),
        "attn.q_proj.bias": (width,),
        "attn.k_proj.weight": (width, width),
        "attn.k_proj.bias": (width,),
        "attn.v_proj.weight": (width, width),
        "attn.v_proj.bias": (width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (width, mlp),
        "mlp.c_fc.bias": (mlp,),
        "mlp.c_proj.weight": (mlp, width),
        "mlp.c_proj.bias": (width,),
    }
    return {f"{prefix}.resblocks.0.{name}": shape for name, shape in shapes.items()}


VISION_SHAPES = {
    "visual.class_embedding": (12,),
    "visual.positional_embedding": (50, 12),  # 7 x 7 patches and the class token
    "visual.proj": (12, 5),
    "visual.conv1.weight": (12, 3, 2, 3),
    "visual.ln_pre.weight": (12,),
    "visual.ln_pre.bias": (12,),
    **block("visual.transformer", 12, 31),
    "visual.ln_post.weight": (12,),
    "visual.ln_post.bias": (12,),
}
TEXT_SHAPES = {
    "positional_embedding": (7, 10),
    "text_projection": (10, 5),
    "token_embedding.weight": (97, 10),
    **block("transformer", 10, 41),
    "ln_final.weight": (10,),
    "ln_final.bias": (10,),
}


def test_names_order_and_shapes_are_paddlemix_s() -> None:
    expected = {"logit_scale": (1,), **VISION_SHAPES, **TEXT_SHAPES}
    assert list(native_shapes(SPEC).items()) == list(expected.items())


def test_one_tower_alone_has_no_logit_scale() -> None:
    assert native_shapes(replace(SPEC, text=None)) == VISION_SHAPES
    assert native_shapes(replace(SPEC, vision=None)) == TEXT_SHAPES


def test_blocks_are_numbered_from_zero() -> None:
    shapes = native_shapes(replace(SPEC, text=replace(TEXT, layers=3), vision=None))
    assert len(shapes) == len(TEXT_SHAPES) + 2 * 16
    assert shapes["transformer.resblocks.2.mlp.c_fc.weight"] == (10, 41)


@pytest.mark.parametrize("gamma", [0.0, 0.1])
def test_layer_scale_and_ln_pre_are_there_when_asked_for(gamma: float) -> None:
    spec = replace(SPEC, vision=replace(VISION, layer_scale=gamma, ln_pre=False))
    assert native_shapes(spec).keys() ^ native_shapes(SPEC).keys() == {
        "visual.ln_pre.weight",
        "visual.ln_pre.bias",
        "visual.transformer.resblocks.0.ls_1.gamma",
        "visual.transformer.resblocks.0.ls_2.gamma",
    }


def test_every_dimension_has_a_name_and_a_value() -> None:
    named = {dim for shape in native_layout(SPEC).values() for dim in shape if isinstance(dim, str)}
    assert named == dimensions(SPEC).keys()
    assert len(set(dimensions(SPEC).values()) - {2, 3}) == len(dimensions(SPEC)) - 2
