from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, paddlemix


def config(**changes: Any) -> dict[str, Any]:
    """A minimal configuration; ``vision__width=3`` changes a field of a tower."""
    whole: dict[str, Any] = {"vision_cfg": {}, "text_cfg": {}}
    for name, value in changes.items():
        tower, _, key = name.rpartition("__")
        (whole[f"{tower}_cfg"] if tower else whole)[key] = value
    return whole


def test_what_is_absent_has_paddlemix_s_default() -> None:
    spec, says = paddlemix.parse(config(), "")
    vision, text = spec.vision, spec.text
    assert vision and text
    assert (spec.embed_dim, spec.preprocess, says) == (512, None, False)
    assert (vision.width, vision.layers, vision.heads, vision.mlp_width) == (768, 12, 12, 3072)
    assert (vision.image_size, vision.patch_size) == ((224, 224), (14, 14))
    assert (text.width, text.layers, text.heads, text.mlp_width) == (512, 12, 8, 2048)
    assert (text.context_length, text.vocab_size, text.activation) == (77, 49408, "gelu")
    assert {vision.norm_eps, text.norm_eps} == {1e-5}
    assert (vision.layer_scale, text.layer_scale, vision.patch_dropout) == (None, None, 0.0)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ({"embed_dim": 768}, 768),
        ({"vision__embed_dim": 768, "text__embed_dim": 768}, 768),
        ({"embed_dim": 768, "vision__embed_dim": 768, "text__embed_dim": 768}, 768),
        ({}, 512),
    ],
)
def test_embed_dim_is_at_the_top_or_in_both_towers(where: dict[str, int], expected: int) -> None:
    assert paddlemix.parse(config(**where), "")[0].embed_dim == expected


def test_embed_dim_in_one_tower_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match="768 in vision_cfg and None in text_cfg"):
        paddlemix.parse(config(vision__embed_dim=768), "")


def test_the_text_tower_s_activation_is_not_the_image_tower_s() -> None:
    spec, says = paddlemix.parse(config(text__quick_gelu=True), "")
    assert spec.vision and spec.text and not says
    assert (spec.vision.activation, spec.text.activation) == ("gelu", "quick_gelu")
    spec, says = paddlemix.parse(config(vision__quick_gelu=True), "")
    assert spec.vision and spec.text and says
    assert (spec.vision.activation, spec.text.activation) == ("quick_gelu", "gelu")


def test_how_it_is_computed_does_not_change_what() -> None:
    """What a training run's configuration holds beside the model."""
    ways = dict.fromkeys(("xattn", "flash_attn", "fusedlinear", "fusedLN"), True)
    trained = config(
        **ways,
        model_type="clip",
        custom_text=True,
        dtype="float16",
        paddlenlp_version="2.8.0",
        quantization_config={"weight_quantize_algo": None, "quant_type": None},
        pruned_heads={},
        tensor_parallel_degree=2,
        return_dict=False,
        vision_config={"width": 5},
        text_config={"width": 5},
        **{f"vision__{name}": True for name in ways},
        **{f"text__{name}": True for name in ways},
        vision__n_queries=256,
        vision__heads=12,
        vision__output_dim=512,
        text__output_dim=512,
        text__pad_id=0,
    )
    assert paddlemix.parse(trained, "") == paddlemix.parse(config(), "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "evaclip"}, "model_type = 'evaclip'"),
        ({"vision__global_average_pool": True}, "global_average_pool"),
        ({"vision__attentional_pool": True}, "attentional_pool"),
        ({"text__embed_cls": True}, "embed_cls"),
        ({"text__attn_mask": False}, "attn_mask"),
        ({"vision__heads": 16}, "heads"),
        ({"vision__head_width": 100}, "can't be shared"),
        ({"text__rope": True}, "unknown field rope"),
        ({"sparse": True}, "unknown field sparse"),
        ({"quantization_config": {"weight_quantize_algo": "weight_only_int8"}}, "quantised"),
        ({"pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"vision_cfg": "EVA/vision"}, "vision_cfg"),
    ],
)
def test_what_zoo_does_not_compute_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        paddlemix.parse({**config(), **change} if "vision_cfg" in change else config(**change), "")
    assert message in caught.value.what


@given(data=st.data())
def test_what_is_dumped_is_parsed_again(
    specs: st.SearchStrategy[CLIPSpec], data: st.DataObject
) -> None:
    drawn = data.draw(specs)
    assert drawn.vision and drawn.text
    vision = replace(drawn.vision, ln_pre=True, norm_eps=1e-5)
    text = replace(drawn.text, norm_eps=1e-5)
    spec = replace(drawn, vision=vision, text=text, preprocess=None)
    assert paddlemix.parse(paddlemix.dump(spec), "dumped") == (spec, True)
    for lack in (replace(spec, vision=None), replace(spec, text=None)):
        with pytest.raises(ConfigError, match="both towers"):
            paddlemix.dump(lack)
    with pytest.raises(ConfigError, match="before the first block"):
        paddlemix.dump(replace(spec, vision=replace(vision, ln_pre=False)))
