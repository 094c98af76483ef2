from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, TextSpec, TowerSpec, VisionSpec, hf

BARE: dict[str, Any] = {"model_type": "clip"}
TOWER = {"layers": 12, "activation": "quick_gelu", "norm_eps": 1e-5, "layer_scale": None}
DEFAULT = CLIPSpec(
    embed_dim=512,
    vision=VisionSpec(
        **TOWER,  # type: ignore[arg-type]
        width=768,
        heads=12,
        mlp_width=3072,
        image_size=(224, 224),
        patch_size=(32, 32),
        ln_pre=True,
        patch_dropout=0.0,
    ),
    text=TextSpec(
        **TOWER,  # type: ignore[arg-type]
        width=512,
        heads=8,
        mlp_width=2048,
        context_length=77,
        vocab_size=49408,
    ),
    preprocess=None,
)


def config(**changes: Any) -> dict[str, Any]:
    """A configuration of CLIPModel; ``vision__hidden_size=3`` changes a field of a tower."""
    whole: dict[str, Any] = {**BARE, "vision_config": {}, "text_config": {}}
    for name, value in changes.items():
        tower, _, key = name.rpartition("__")
        (whole[f"{tower}_config"] if tower else whole)[key] = value
    return whole


def possible(spec: CLIPSpec) -> CLIPSpec:
    """The specification without what transformers' CLIP lacks."""
    assert spec.vision and spec.text
    height, (patch, _) = spec.vision.image_size[0], spec.vision.patch_size
    vision = replace(
        spec.vision,
        layer_scale=None,
        image_size=(height, height),
        patch_size=(patch, patch),
        ln_pre=True,
        patch_dropout=0.0,
    )
    text = replace(spec.text, layer_scale=None)
    return replace(spec, vision=vision, text=text, preprocess=None)


def test_what_is_absent_has_transformers_s_default() -> None:
    assert hf.parse(BARE, "bare") == DEFAULT
    assert hf.parse(config(), "whole") == DEFAULT


@pytest.mark.reference
def test_the_defaults_are_those_that_transformers_writes(tmp_path: Any) -> None:
    transformers = pytest.importorskip("transformers", reason="the extra is not installed")
    written = transformers.CLIPConfig(text_config={}, vision_config={}).to_dict()
    assert hf.parse(written, "written") == DEFAULT
    for kind, name in ((hf.VISION, "CLIPVisionConfig"), (hf.TEXT, "CLIPTextConfig")):
        alone = hf.parse(getattr(transformers, name)().to_dict(), name)
        lacks = {"text": None} if kind == hf.VISION else {"vision": None}
        assert alone == replace(DEFAULT, **lacks)  # type: ignore[arg-type]


@given(data=st.data())
def test_what_is_dumped_is_parsed_again(
    specs: st.SearchStrategy[CLIPSpec], data: st.DataObject
) -> None:
    spec = possible(data.draw(specs))
    for whole in (spec, replace(spec, vision=None), replace(spec, text=None)):
        assert hf.parse(hf.dump(whole), "dumped") == whole


def test_each_tower_has_its_own_activation_and_epsilon() -> None:
    spec = hf.parse(config(vision__hidden_act="gelu", text__layer_norm_eps=1e-6), "")
    assert spec.vision and spec.text
    assert (spec.vision.activation, spec.text.activation) == ("gelu", "quick_gelu")
    assert (spec.vision.norm_eps, spec.text.norm_eps) == (1e-5, 1e-6)


def test_clip_model_takes_the_projection_at_the_top_and_a_tower_its_own() -> None:
    both = config(projection_dim=768, vision__projection_dim=512, text__projection_dim=1280)
    assert hf.parse(both, "").embed_dim == 768
    assert hf.parse(config(text__projection_dim=1280), "").embed_dim == 512
    for kind in (hf.VISION, hf.TEXT):
        assert hf.parse({"model_type": kind, "projection_dim": 1280}, "").embed_dim == 1280


def test_the_old_dict_comes_first_with_defaults_of_its_own() -> None:
    """transformers lets it override even what it does not name."""
    old = config(text__hidden_act="gelu", text__num_hidden_layers=3)
    old["text_config_dict"] = {"num_hidden_layers": 4}
    text = hf.parse(old, "").text
    assert text and (text.layers, text.activation) == (4, "quick_gelu")
    old["text_config_dict"] = None
    text = hf.parse(old, "").text
    assert text and (text.layers, text.activation) == (3, "gelu")


def test_what_transformers_4_wrote_beside_changes_nothing() -> None:
    generic = {
        "_name_or_path": "",
        "add_cross_attention": False,
        "architectures": None,
        "attention_dropout": 0.0,
        "bad_words_ids": None,
        "bos_token_id": 0,
        "chunk_size_feed_forward": 0,
        "do_sample": False,
        "dropout": 0.0,
        "id2label": {"0": "LABEL_0", "1": "LABEL_1"},
        "initializer_factor": 1.0,
        "is_decoder": False,
        "length_penalty": 1.0,
        "max_length": 20,
        "num_beams": 1,
        "pad_token_id": 1,
        "pruned_heads": {},
        "return_dict": True,
        "temperature": 1.0,
        "torch_dtype": "float16",
        "transformers_version": "4.16.0.dev0",
        "use_bfloat16": False,
    }
    text = {**generic, "model_type": "clip_text_model", "eos_token_id": 2}
    vision = {**generic, "model_type": "clip_vision_model", "eos_token_id": None}
    whole = {
        **BARE,
        "architectures": ["CLIPModel"],
        "logit_scale_init_value": 2.6592,
        "torch_dtype": "float32",
        "text_config": text,
        "text_config_dict": None,
        "vision_config": vision,
        "vision_config_dict": None,
    }
    assert hf.parse(whole, "") == DEFAULT


def test_metaclip_s_words_that_transformers_does_not_read_must_agree() -> None:
    assert hf.parse(config(text__heads=8, text__layers=12), "") == DEFAULT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "siglip"}, "model_type = 'siglip' is not supported"),
        ({"architectures": ["CLIPForImageClassification"]}, "zoo reads CLIPModel"),
        ({"quantization_config": {"bits": 4}}, "unknown field quantization_config"),
        ({"vision__quantization_config": {"bits": 4}}, "unknown field quantization_config"),
        ({"vision__hidden_act": "gelu_pytorch_tanh"}, "hidden_act = 'gelu_pytorch_tanh'"),
        ({"text__hidden_act": "silu"}, "hidden_act = 'silu'"),
        ({"vision__num_channels": 1}, "num_channels = 1"),
        ({"vision__image_size": [224, 320]}, "image_size"),
        ({"vision__num_attention_heads": 7}, "can't be shared by 7 heads"),
        ({"text__pruned_heads": {"0": [1]}}, "pruned_heads"),
        ({"text__eos_token_id": 5}, "eos_token_id = 5"),
        ({"text__vocab_size": 99}, "eos_token_id = 49407"),
        ({"text__vocab_size": 49410}, "eos_token_id = 49407 with vocab_size = 49410"),
        ({"text__vocab_size": 49410, "text__eos_token_id": 49409}, "eos_token_id = 49409"),
        ({"text__layer_norm_eps": 1e-2}, "a norm's epsilon of 0.01"),
        ({"vision__layer_norm_eps": 1.1e-3}, "a norm's epsilon of 0.0011"),
        ({"text__model_type": "bert"}, "model_type = 'bert'"),
        ({"text__num_hidden_layers": 10**9}, "num_hidden_layers"),
        ({"text__heads": 12}, "heads = 12"),
    ],
)
def test_what_zoo_does_not_compute_is_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        hf.parse(config(**change), "config.json")
    assert message in caught.value.what
    assert str(caught.value.where).startswith("config.json")


@pytest.mark.parametrize(
    "architecture", ["CLIPVisionModel", "CLIPTextModelWithProjection", "CLIPModel"]
)
def test_a_tower_needs_its_projection(architecture: str) -> None:
    with pytest.raises(ConfigError, match="CLIPVisionModelWithProjection"):
        hf.parse({"model_type": hf.VISION, "architectures": [architecture]}, "")


def altered(alter: Callable[[VisionSpec], VisionSpec]) -> CLIPSpec:
    assert DEFAULT.vision
    return replace(DEFAULT, vision=alter(DEFAULT.vision))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (altered(lambda vision: replace(vision, image_size=(224, 320))), "square"),
        (altered(lambda vision: replace(vision, patch_size=(14, 16))), "square"),
        (altered(lambda vision: replace(vision, ln_pre=False)), "before the first block"),
    ],
)
def test_what_transformers_lacks_is_not_dumped(spec: CLIPSpec, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        hf.dump(spec)


def test_a_tower_that_is_dumped_says_which_it_is() -> None:
    assert hf.dump(replace(DEFAULT, text=None))["model_type"] == hf.VISION
    assert hf.dump(replace(DEFAULT, vision=None))["architectures"] == [hf.CLASSES[hf.TEXT]]
    assert isinstance(DEFAULT.text, TowerSpec)
