# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test
"""zoo's reading of configurations against open_clip's own dataclasses and models."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec
from zoo.spec import open_clip as config_format
from zoo.verify.reference.libraries import open_clip, torch

SECTIONS = {
    "vision_cfg": open_clip.model.CLIPVisionCfg,
    "text_cfg": open_clip.model.CLIPTextCfg,
    "preprocess_cfg": open_clip.transform.PreprocessCfg,
}


def defaults(section: str) -> dict[str, Any]:
    return dataclasses.asdict(SECTIONS[section]())


def parse(section: str, fields: dict[str, Any]) -> CLIPSpec:
    model: dict[str, Any] = {"embed_dim": 512, "vision_cfg": {}, "text_cfg": {}}
    document: dict[str, Any] = {"model_cfg": model, "preprocess_cfg": {}}
    (document if section == "preprocess_cfg" else model)[section] = fields
    return config_format.parse(document, "")


def listed(fields: dict[str, Any]) -> dict[str, Any]:
    """As JSON has them."""
    return {key: list(v) if isinstance(v, tuple) else v for key, v in fields.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_zoo_knows_every_field_and_its_default(section: str) -> None:
    nothing = parse(section, {})
    fields = listed(defaults(section))
    assert len(fields) > 5
    for name, value in fields.items():
        assert parse(section, {name: value}) == nothing, name
    assert parse(section, fields) == nothing


# open_clip's fields that change nothing that zoo computes.
INERT = {
    # With the class token's pooling.
    *("final_ln_after_pool", "attn_pooler_queries", "attn_pooler_heads"),
    # Without a tower of another library.
    *("timm_model_pretrained", "timm_pool", "timm_proj", "timm_proj_bias", "timm_drop"),
    *("timm_drop_path", "hf_model_pretrained", "hf_proj_type", "hf_pooler_type"),
    # In a causal tower with argmax pooling.
    *("pad_id", "eos_id"),
    # Because the image tower's is written over it.
    "size",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_other_value_counts_or_is_refused_by_its_name(section: str) -> None:
    nothing = parse(section, {})
    fields = listed(defaults(section))
    inert = set()
    for name, value in fields.items():
        try:
            if parse(section, {name: _other(value)}) == nothing:
                inert.add(name)
        except ConfigError as error:
            assert re.search(rf"\b{name}\b|\bwidth\b", error.what), (name, error.what)
    assert inert == INERT & set(fields)


def _other(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int() | float():
            return 2 * value + 2
        case str():
            return value + "x"
        case list():
            return [x / 2 for x in value]
        case dict():
            return {"x": 1}
    return 0.5


def flattened(config: dict[str, Any]) -> set[str]:
    inner = [flattened(value) for value in config.values() if isinstance(value, dict)]
    return set(config).union(*inner)


def is_clip(name: str, config: dict[str, Any]) -> bool:
    """Whether open_clip builds a class-token ViT with CLIP's text tower and tokenizer from it."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    if {"timm_model_name", "hf_model_name", "hf_tokenizer_name"} & flattened(config):
        return False
    if "multimodal_cfg" in config or "audio_cfg" in config or isinstance(vision["layers"], list):
        return False
    with torch.device("meta"):
        model = open_clip.model.CLIP(**{k: v for k, v in config.items() if k != "custom_text"})
    tower = model.visual
    return (
        tower.pool_type == "tok"
        and tower.attn_pool is None
        and bool(tower.positional_embedding.requires_grad)
        and model.text_pool_type == "argmax"
        and model.attn_mask is not None
        and not text.get("embed_cls")
        and model.text_projection.shape == (text["width"], config["embed_dim"])
        and model.logit_bias is None
        and type(tower.transformer.resblocks[0]) is open_clip.transformer.ResidualAttentionBlock
        and "tokenizer_kwargs" not in text
        and type(open_clip.get_tokenizer(name)) is open_clip.SimpleTokenizer
    )


def test_what_open_clip_builds_as_clip_is_read_and_the_rest_is_refused_by_name() -> None:
    read, refused = [], []
    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        try:
            config_format.parse(config, name)
        except ConfigError as error:
            named = set(re.findall(r"\w+", error.what))
            assert named & flattened(config), f"{name}: {error.what}"
            refused.append(name)
        else:
            read.append(name)
    assert read == [n for n in open_clip.list_models() if is_clip(n, open_clip.get_model_config(n))]
    assert len(read) == 32
    assert len(refused) > 80
