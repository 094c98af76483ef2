from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, PreprocessSpec, TextSpec, VisionSpec, open_clip

BARE: dict[str, Any] = {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}}


def config(**changes: Any) -> dict[str, Any]:
    """A whole configuration; ``vision__width=3`` changes a field of ``vision_cfg``."""
    whole: dict[str, Any] = {
        "model_cfg": {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}},
        "preprocess_cfg": {},
    }
    places = {
        "vision": whole["model_cfg"]["vision_cfg"],
        "text": whole["model_cfg"]["text_cfg"],
        "preprocess": whole["preprocess_cfg"],
        "model": whole["model_cfg"],
        "top": whole,
    }
    for name, value in changes.items():
        place, _, key = name.partition("__")
        places[place][key] = value
    return whole


def test_what_is_absent_has_open_clip_s_default() -> None:
    tower = {"layers": 12, "activation": "gelu", "norm_eps": 1e-5, "layer_scale": None}
    expected = CLIPSpec(
        embed_dim=512,
        vision=VisionSpec(
            **tower,  # type: ignore[arg-type]
            width=768,
            heads=12,
            mlp_width=3072,
            image_size=(224, 224),
            patch_size=(16, 16),
            ln_pre=True,
            patch_dropout=0.0,
        ),
        text=TextSpec(
            **tower,  # type: ignore[arg-type]
            width=512,
            heads=8,
            mlp_width=2048,
            context_length=77,
            vocab_size=49408,
        ),
        preprocess=PreprocessSpec(
            size=(224, 224),
            mean=(0.48145466, 0.4578275, 0.40821073),
            std=(0.26862954, 0.26130258, 0.27577711),
            interpolation="bicubic",
            resize="shortest",
            fill=0,
        ),
    )
    assert open_clip.parse(BARE, "bare") == expected
    assert open_clip.parse(config(), "whole") == expected


def test_every_field_counts(tiny: Path) -> None:
    path = tiny / open_clip.CONFIG_NAME
    spec = open_clip.read(path)
    assert spec == open_clip.parse(json.loads(path.read_text()), "")
    vision, text = spec.vision, spec.text
    assert vision and text and spec.preprocess
    assert (vision.activation, text.activation) == ("quick_gelu", "quick_gelu")
    assert (vision.heads, vision.mlp_width, vision.grid, vision.tokens) == (5, 208, (4, 4), 17)
    assert (text.heads, text.mlp_width, text.layers) == (4, 108, 2)


@pytest.mark.parametrize(
    ("changes", "tower", "field", "value"),
    [
        ({"vision__image_size": [224, 256]}, "vision", "image_size", (224, 256)),
        ({"vision__patch_size": 32}, "vision", "patch_size", (32, 32)),
        ({"vision__no_ln_pre": True}, "vision", "ln_pre", False),
        ({"vision__patch_dropout": 0.5}, "vision", "patch_dropout", 0.5),
        ({"vision__ls_init_value": 0.1}, "vision", "layer_scale", 0.1),
        ({"vision__norm_kwargs": {"eps": 1e-6}}, "vision", "norm_eps", 1e-6),
        ({"vision__mlp_ratio": 4.3637, "vision__width": 1408}, "vision", "mlp_width", 6144),
        ({"vision__head_width": 96}, "vision", "heads", 8),
        ({"vision__width": 64, "vision__head_width": 48}, "vision", "heads", 1),
        ({"text__heads": 16}, "text", "heads", 16),
        ({"text__context_length": 32}, "text", "context_length", 32),
        ({"text__norm_kwargs": {"eps": 1e-6}}, "text", "norm_eps", 1e-6),
        ({"text__ls_init_value": 0.1}, "text", "layer_scale", 0.1),
        ({"preprocess__mean": [0.5, 0.5, 0.5]}, "preprocess", "mean", (0.5, 0.5, 0.5)),
        ({"preprocess__std": [0.5, 0.5, 0.5]}, "preprocess", "std", (0.5, 0.5, 0.5)),
        ({"preprocess__resize_mode": "squash"}, "preprocess", "resize", "squash"),
        ({"preprocess__interpolation": "bilinear"}, "preprocess", "interpolation", "bilinear"),
        ({"preprocess__fill_color": 127}, "preprocess", "fill", 127),
        ({"preprocess__size": 336}, "preprocess", "size", (224, 224)),  # the image tower's counts
    ],
)
def test_a_field_is_read(changes: dict[str, Any], tower: str, field: str, value: object) -> None:
    spec = open_clip.parse(config(**changes), "")
    assert getattr(getattr(spec, tower), field) == value


REFUSED = [
    {"model__multimodal_cfg": {}},
    {"model__init_logit_bias": -10},
    {"model__new": 1},
    {"top__new": 1},
    {"vision__new": 1},
    {"vision__timm_model_name": "vit_base_patch16_224"},
    {"vision__attentional_pool": True},
    {"vision__pool_type": "avg"},
    {"vision__pos_embed_type": "sin_cos_2d"},
    {"vision__layers": [3, 4, 6, 3]},
    {"vision__act_kwargs": {"approximate": "tanh"}},
    {"vision__qk_norm": True},
    {"vision__block_type": "custom"},
    {"vision__output_tokens": True},
    {"vision__norm_kwargs": {"new": 1}},
    {"vision__norm_kwargs": {"eps": -1e-5}},
    {"vision__width": 770},
    {"vision__head_width": 1000},
    {"vision__mlp_ratio": 0},
    {"vision__mlp_ratio": 1e300},
    {"vision__patch_dropout": 1.0},
    {"text__hf_model_name": "roberta-base"},
    {"text__hf_tokenizer_name": "bert-base-uncased"},
    {"text__tokenizer_kwargs": {"clean": "canonicalize"}},
    {"text__embed_cls": True},
    {"text__no_causal_mask": True},
    {"text__pool_type": "last"},
    {"text__proj_type": "none"},
    {"text__proj_bias": True},
    {"text__heads": 7},
    {"text__scale_fc": True},
    {"preprocess__mode": "L"},
    {"preprocess__interpolation": "random"},
    {"preprocess__resize_mode": "stretch"},
    {"preprocess__fill_color": 256},
    {"preprocess__new": 1},
]


@pytest.mark.parametrize("changes", REFUSED, ids=str)
def test_what_zoo_does_not_compute_is_refused_by_its_name(changes: dict[str, Any]) -> None:
    (name,) = changes
    with pytest.raises(ConfigError, match=name.partition("__")[2].split("_")[0]):
        open_clip.parse(config(**changes), "")


@pytest.mark.parametrize("name", ["embed_dim", "vision_cfg", "text_cfg"])
def test_what_has_no_default_is_asked_for(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is missing"):
        open_clip.parse({key: value for key, value in BARE.items() if key != name}, "")


@given(st.data())
def test_what_is_written_is_read(specs: st.SearchStrategy[CLIPSpec], data: st.DataObject) -> None:
    spec = data.draw(specs)
    assert open_clip.parse(json.loads(json.dumps(open_clip.dump(spec))), "") == spec


def test_what_open_clip_can_t_say_is_not_written() -> None:
    spec = open_clip.parse(BARE, "")
    assert spec.text
    for one in (replace(spec, text=None), replace(spec, vision=None)):
        with pytest.raises(ConfigError, match="both towers"):
            open_clip.dump(one)
    with pytest.raises(ConfigError, match="one activation"):
        open_clip.dump(replace(spec, text=replace(spec.text, activation="quick_gelu")))
