"""open_clip's configurations: ``open_clip_config.json``, and a bare model configuration.

A field that is absent has open_clip's own default (CLIPVisionCfg, CLIPTextCfg and PreprocessCfg of
open_clip 3.3); one that asks for something else than a class-token ViT with CLIP's text tower is
refused by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.spec import (
    INTERPOLATIONS,
    RESIZES,
    Activation,
    CLIPSpec,
    Pair,
    PreprocessSpec,
    TextSpec,
    TowerSpec,
    VisionSpec,
)
from zoo.spec.fields import Fields, check_tower, read_json_object, side
from zoo.spec.ratio import ratio_of, width_of

CONFIG_NAME = "open_clip_config.json"
OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_STD = (0.26862954, 0.26130258, 0.27577711)
NORM_EPS = 1e-5  # torch.nn.LayerNorm's default, which open_clip keeps

# What both towers could ask for and zoo does not compute, with the value that asks for nothing.
_BLOCK_VARIANTS: dict[str, object] = {
    "block_type": "default",
    "qk_norm": False,
    "scaled_cosine_attn": False,
    "scale_heads": False,
    "scale_attn_inner": False,
    "scale_attn": False,
    "scale_fc": False,
    "output_tokens": False,
    "act_kwargs": {},
}

# What qualifies a timm image tower or a Hugging Face text tower, and means nothing without one.
_TIMM = tuple(
    f"timm_{name}"
    for name in ("model_pretrained", "pool", "proj", "proj_bias", "drop", "drop_path")
)
_HF = ("hf_model_pretrained", "hf_proj_type", "hf_pooler_type")


def read(path: Path) -> CLIPSpec:
    """Reads ``open_clip_config.json`` or a bare model configuration.

    Raises:
        ConfigError: a field is unknown, of the wrong type, or asks for another architecture.
        FormatError: the file is not JSON.
        NotFoundError: there is no such file.
    """
    return parse(read_json_object(path), path.name)


def parse(data: dict[str, Any], where: str) -> CLIPSpec:
    """As ``read``, from the parsed JSON; ``where`` stands in messages."""
    if "model_cfg" in data:
        top = Fields(data, where)
        model, preprocess = top.section("model_cfg"), top.section("preprocess_cfg", {})
        top.ignore("name", "open_clip_version", "hf_repo", "license", "tags")
        top.finish()
    else:
        model, preprocess = Fields(data, where), Fields({}, where)
    activation: Activation = "quick_gelu" if model.take("quick_gelu", bool, False) else "gelu"
    embed_dim = model.positive("embed_dim")
    model.ignore("custom_text", "init_logit_scale", "nonscalar_logit_scale")
    model.require("init_logit_bias", None)
    vision = _vision(model.section("vision_cfg"), activation)
    text = _text(model.section("text_cfg"), activation)
    model.finish()
    return CLIPSpec(
        embed_dim=embed_dim,
        vision=vision,
        text=text,
        preprocess=_preprocess(preprocess, vision.image_size),
    )


def _norm_eps(fields: Fields) -> float:
    norm = fields.section("norm_kwargs", {})
    eps = norm.number("eps", float, 0, 1, NORM_EPS)
    norm.finish()
    return eps


def _vision(fields: Fields, activation: Activation) -> VisionSpec:
    for name in ("timm_model_name", "attentional_pool"):
        fields.require(name, False)
    fields.require("pool_type", "tok")
    fields.require("pos_embed_type", "learnable")
    for name, neutral in _BLOCK_VARIANTS.items():
        fields.require(name, neutral)
    # With class-token pooling the last norm acts on the same token before and after pooling.
    fields.ignore("final_ln_after_pool", "attn_pooler_queries", "attn_pooler_heads", *_TIMM)
    width = fields.positive("width", 768)
    head_width = fields.positive("head_width", 64)
    spec = VisionSpec(
        width=width,
        layers=fields.layers(12),
        heads=width // head_width,
        mlp_width=width_of(width, fields.mlp_ratio(4.0)),
        activation=activation,
        norm_eps=_norm_eps(fields),
        layer_scale=fields.optional("ls_init_value", float),
        image_size=fields.pair("image_size", 224),
        patch_size=fields.pair("patch_size", 16),
        ln_pre=not fields.take("no_ln_pre", bool, False),
        patch_dropout=fields.number("patch_dropout", float, 0, 1, 0.0),
    )
    fields.finish()
    check_tower(spec, fields.where)
    return spec


def _text(fields: Fields, activation: Activation) -> TextSpec:
    for name in ("hf_model_name", "hf_tokenizer_name", "tokenizer_mode"):
        fields.require(name, None)
    fields.require("tokenizer_kwargs", {})
    for name in ("embed_cls", "no_causal_mask", "proj_bias"):
        fields.require(name, False)
    fields.require("pool_type", "argmax")
    fields.require("proj_type", "linear")
    for name, neutral in _BLOCK_VARIANTS.items():
        fields.require(name, neutral)
    # The padding's id and eos_id play no part under argmax pooling and a causal mask.
    fields.ignore("pad_id", "eos_id", "final_ln_after_pool", *_HF)
    width = fields.positive("width", 512)
    spec = TextSpec(
        width=width,
        layers=fields.layers(12),
        heads=fields.positive("heads", 8),
        mlp_width=width_of(width, fields.mlp_ratio(4.0)),
        activation=activation,
        norm_eps=_norm_eps(fields),
        layer_scale=fields.optional("ls_init_value", float),
        context_length=fields.positive("context_length", 77),
        vocab_size=fields.positive("vocab_size", 49408),
    )
    fields.finish()
    check_tower(spec, fields.where)
    return spec


def _preprocess(fields: Fields, image_size: Pair) -> PreprocessSpec:
    """``size`` is not read: open_clip overwrites it with the image tower's own."""
    fields.ignore("size")
    fields.require("mode", "RGB")
    spec = PreprocessSpec(
        size=image_size,
        mean=fields.rgb("mean", OPENAI_MEAN),
        std=fields.std("std", OPENAI_STD),
        interpolation=fields.choice("interpolation", INTERPOLATIONS, "bicubic"),
        resize=fields.choice("resize_mode", RESIZES, "shortest"),
        fill=fields.number("fill_color", int, 0, 256, 0),
    )
    fields.finish()
    return spec


def dump(spec: CLIPSpec) -> dict[str, Any]:
    """``open_clip_config.json`` for a specification with both towers, packed as ``CLIP``.

    Raises:
        ConfigError: open_clip has no such model: a tower is missing, or the activations differ.
    """
    if spec.vision is None or spec.text is None or spec.preprocess is None:
        raise ConfigError("open_clip's CLIP has both towers; this model has one")
    vision, text, preprocess = spec.vision, spec.text, spec.preprocess
    if vision.activation != text.activation:
        raise ConfigError(
            f"open_clip has one activation for both towers; here the image tower has "
            f"{vision.activation} and the text tower {text.activation}"
        )
    return {
        "model_cfg": {
            "embed_dim": spec.embed_dim,
            "quick_gelu": vision.activation == "quick_gelu",
            "vision_cfg": {
                "image_size": side(vision.image_size),
                "patch_size": side(vision.patch_size),
                "width": vision.width,
                "layers": vision.layers,
                "head_width": vision.head_width,
                "no_ln_pre": not vision.ln_pre,
                "patch_dropout": vision.patch_dropout,
                **_tower(vision),
            },
            "text_cfg": {
                "context_length": text.context_length,
                "vocab_size": text.vocab_size,
                "width": text.width,
                "heads": text.heads,
                "layers": text.layers,
                **_tower(text),
            },
        },
        "preprocess_cfg": {
            "size": side(preprocess.size),
            "mode": "RGB",
            "mean": list(preprocess.mean),
            "std": list(preprocess.std),
            "interpolation": preprocess.interpolation,
            "resize_mode": preprocess.resize,
            "fill_color": preprocess.fill,
        },
    }


def _tower(tower: TowerSpec) -> dict[str, Any]:
    return {
        "mlp_ratio": ratio_of(tower.width, tower.mlp_width),
        "ls_init_value": tower.layer_scale,
        "norm_kwargs": {"eps": tower.norm_eps},
    }
