"""``config.json`` of a converted checkpoint: the whole specification, nothing left to a default.

The keys are PaddleMIX's, so that its ``CLIPConfig`` reads the file; what it lacks (exact MLP
widths, the image tower's activation, epsilon, preprocessing) stands beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.spec import (
    ACTIVATIONS,
    INTERPOLATIONS,
    RESIZES,
    CLIPSpec,
    PreprocessSpec,
    TextSpec,
    TowerSpec,
    VisionSpec,
)
from zoo.spec.fields import Fields, check_tower, read_json_object, side
from zoo.spec.ratio import ratio_of

CONFIG_NAME = "config.json"
SCHEMA_VERSION = 1


def dump(spec: CLIPSpec) -> dict[str, Any]:
    """The JSON object of ``config.json``; a tower that the model lacks is null."""
    return {
        "zoo_schema_version": SCHEMA_VERSION,
        "architectures": ["CLIP"],
        "model_type": "clip",
        "custom_text": False,
        "embed_dim": spec.embed_dim,
        "vision_cfg": None if spec.vision is None else _dump_vision(spec.vision, spec.embed_dim),
        "text_cfg": None if spec.text is None else _dump_text(spec.text, spec.embed_dim),
        "preprocess_cfg": None if spec.preprocess is None else _dump_preprocess(spec.preprocess),
    }


def _dump_tower(tower: TowerSpec, embed_dim: int) -> dict[str, Any]:
    return {
        "embed_dim": embed_dim,
        "width": tower.width,
        "layers": tower.layers,
        "heads": tower.heads,
        "head_width": tower.head_width,
        "mlp_ratio": ratio_of(tower.width, tower.mlp_width),
        "mlp_width": tower.mlp_width,
        "activation": tower.activation,
        "quick_gelu": tower.activation == "quick_gelu",
        "norm_eps": tower.norm_eps,
        "ls_init_value": tower.layer_scale,
    }


def _dump_vision(vision: VisionSpec, embed_dim: int) -> dict[str, Any]:
    return {
        "image_size": side(vision.image_size),
        "patch_size": side(vision.patch_size),
        **_dump_tower(vision, embed_dim),
        "ln_pre": vision.ln_pre,
        "patch_dropout": vision.patch_dropout,
    }


def _dump_text(text: TextSpec, embed_dim: int) -> dict[str, Any]:
    return {
        "context_length": text.context_length,
        "vocab_size": text.vocab_size,
        **_dump_tower(text, embed_dim),
    }


def _dump_preprocess(preprocess: PreprocessSpec) -> dict[str, Any]:
    return {
        "size": side(preprocess.size),
        "mean": list(preprocess.mean),
        "std": list(preprocess.std),
        "interpolation": preprocess.interpolation,
        "resize_mode": preprocess.resize,
        "fill_color": preprocess.fill,
    }


def is_native(config: dict[str, Any]) -> bool:
    """Whether a parsed ``config.json`` was written by zoo."""
    return "zoo_schema_version" in config


def read(path: Path) -> CLIPSpec:
    """Reads ``config.json``; every field must be there.

    Raises:
        ConfigError: a field is missing, unknown, contradictory, or the version is another.
        FormatError: the file is not JSON.
        NotFoundError: there is no such file.
    """
    return parse(read_json_object(path), path.name)


def parse(data: dict[str, Any], where: str) -> CLIPSpec:
    """As ``read``, from the parsed JSON; ``where`` stands in messages."""
    if not is_native(data):
        raise ConfigError("this config.json was not written by zoo", where=where)
    top = Fields(data, where)
    top.require("zoo_schema_version", SCHEMA_VERSION)
    spec = CLIPSpec(
        embed_dim=top.positive("embed_dim"),
        vision=_vision(top.section("vision_cfg")) if "vision_cfg" in top else None,
        text=_text(top.section("text_cfg")) if "text_cfg" in top else None,
        preprocess=_preprocess(top.section("preprocess_cfg")) if "preprocess_cfg" in top else None,
    )
    if spec.vision is None and spec.text is None:
        raise ConfigError("neither vision_cfg nor text_cfg is there", where=where)
    if spec.vision and spec.preprocess and spec.vision.image_size != spec.preprocess.size:
        raise ConfigError(
            f"preprocess_cfg makes pictures of {spec.preprocess.size}, and vision_cfg takes "
            f"{spec.vision.image_size}",
            where=where,
        )
    _check_whole(data, dump(spec), where)
    return spec


def _check_whole(found: dict[str, Any], whole: dict[str, Any], where: str) -> None:
    """Nothing is missing, nothing is unknown, and what says a thing twice says it alike."""
    for key in (*whole, *found):
        if key not in found:
            raise ConfigError(f"{key} is missing", where=where)
        if key not in whole:
            raise ConfigError(f"unknown field {key}: zoo can't tell what it changes", where=where)
        ours, theirs = found[key], whole[key]
        if isinstance(ours, dict) and isinstance(theirs, dict):
            _check_whole(ours, theirs, f"{where}: {key}")
        elif ours != theirs:
            raise ConfigError(
                f"{key} is {ours!r}; by the other fields it is {theirs!r}", where=where
            )


def _tower(fields: Fields) -> dict[str, Any]:
    return {
        "width": fields.positive("width"),
        "layers": fields.layers(),
        "heads": fields.positive("heads"),
        "mlp_width": fields.positive("mlp_width"),
        "activation": fields.choice("activation", ACTIVATIONS),
        "norm_eps": fields.number("norm_eps", float, 0, 1),
        "layer_scale": fields.optional("ls_init_value", float),
    }


def _vision(fields: Fields) -> VisionSpec:
    spec = VisionSpec(
        **_tower(fields),
        image_size=fields.pair("image_size"),
        patch_size=fields.pair("patch_size"),
        ln_pre=fields.take("ln_pre", bool),
        patch_dropout=fields.number("patch_dropout", float, 0, 1),
    )
    check_tower(spec, fields.where)
    return spec


def _text(fields: Fields) -> TextSpec:
    spec = TextSpec(
        **_tower(fields),
        context_length=fields.positive("context_length"),
        vocab_size=fields.positive("vocab_size"),
    )
    check_tower(spec, fields.where)
    return spec


def _preprocess(fields: Fields) -> PreprocessSpec:
    return PreprocessSpec(
        size=fields.pair("size"),
        mean=fields.rgb("mean"),
        std=fields.std("std"),
        interpolation=fields.choice("interpolation", INTERPOLATIONS),
        resize=fields.choice("resize_mode", RESIZES),
        fill=fields.number("fill_color", int, 0, 256),
    )
