from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ConfigError
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, native, open_clip


@pytest.fixture(scope="module")
def spec(tiny: Path) -> CLIPSpec:
    return open_clip.read(tiny / open_clip.CONFIG_NAME)


@given(st.data(), st.sampled_from(["both", "vision", "text"]), st.booleans())
def test_what_is_written_is_read(
    specs: st.SearchStrategy[CLIPSpec], data: st.DataObject, towers: str, preprocess: bool
) -> None:
    spec = data.draw(specs)
    spec = replace(
        spec,
        vision=None if towers == "text" else spec.vision,
        text=None if towers == "vision" else spec.text,
        preprocess=spec.preprocess if preprocess else None,
    )
    text = pretty_json(native.dump(spec))
    assert native.parse(json.loads(text), "config.json") == spec


def test_it_is_read_from_a_file(spec: CLIPSpec, tmp_path: Path) -> None:
    path = tmp_path / native.CONFIG_NAME
    path.write_bytes(pretty_json(native.dump(spec)))
    assert native.read(path) == spec


def test_what_paddlemix_reads_is_there(spec: CLIPSpec) -> None:
    config = native.dump(spec)
    assert (config["model_type"], config["architectures"]) == ("clip", ["CLIP"])
    vision, text = config["vision_cfg"], config["text_cfg"]
    assert config["embed_dim"] == vision["embed_dim"] == text["embed_dim"] == 48
    assert (vision["head_width"], text["head_width"]) == (16, 8)
    assert int(vision["width"] * vision["mlp_ratio"]) == vision["mlp_width"] == 208


def fields(config: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in config.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from fields(value, (*path, key))


def edited(spec: CLIPSpec, path: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A configuration, and the object in it that holds the last field of the path."""
    config = copy.deepcopy(native.dump(spec))
    holder = config
    for key in path[:-1]:
        holder = holder[key]
    return config, holder


PATHS = list(
    fields(
        native.dump(open_clip.parse({"embed_dim": 8, "vision_cfg": {}, "text_cfg": {}}, "defaults"))
    )
)


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_no_field_can_be_left_out(spec: CLIPSpec, path: tuple[str, ...]) -> None:
    config, holder = edited(spec, path)
    del holder[path[-1]]
    with pytest.raises(ConfigError, match=path[-1].replace("zoo_schema_version", "written by zoo")):
        native.parse(config, "config.json")


LEAVES = [path for path in PATHS if not path[-1].endswith("_cfg")]


@pytest.mark.parametrize("wrong", ["wrong", [], {"a": 1}, 10**40, float("nan")], ids=str)
@pytest.mark.parametrize("path", LEAVES, ids=".".join)
def test_no_field_takes_what_does_not_belong_there(
    spec: CLIPSpec, path: tuple[str, ...], wrong: object
) -> None:
    config, holder = edited(spec, path)
    holder[path[-1]] = wrong
    with pytest.raises(ConfigError, match=path[-1]):
        native.parse(config, "config.json")


@pytest.mark.parametrize("key", ["vision_cfg", "text_cfg", "preprocess_cfg"])
@pytest.mark.parametrize("wrong", ["wrong", [], {"a": 1}], ids=str)
def test_no_section_is_anything_else(spec: CLIPSpec, key: str, wrong: object) -> None:
    with pytest.raises(ConfigError, match=rf"{key} is|width is missing|size is missing"):
        native.parse(native.dump(spec) | {key: wrong}, "config.json")


@pytest.mark.parametrize("holder", [(), ("vision_cfg",), ("text_cfg",), ("preprocess_cfg",)])
def test_an_unknown_field_is_refused(spec: CLIPSpec, holder: tuple[str, ...]) -> None:
    config, place = edited(spec, (*holder, "new"))
    place["new"] = None
    with pytest.raises(ConfigError, match="unknown field new"):
        native.parse(config, "config.json")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("zoo_schema_version", 2),
        ("custom_text", True),
        ("embed_dim", 49),
        ("vision_cfg.embed_dim", 49),
        ("vision_cfg.head_width", 8),
        ("vision_cfg.heads", 10),
        ("vision_cfg.mlp_width", 209),
        ("vision_cfg.mlp_ratio", 2.7),
        ("vision_cfg.quick_gelu", False),
        ("vision_cfg.activation", "gelu"),
        ("text_cfg.heads", 3),
        ("text_cfg.quick_gelu", False),
        ("preprocess_cfg.size", 224),
    ],
)
def test_what_is_said_twice_must_be_said_alike(spec: CLIPSpec, path: str, value: object) -> None:
    keys = tuple(path.split("."))
    config, holder = edited(spec, keys)
    assert holder[keys[-1]] != value
    holder[keys[-1]] = value
    with pytest.raises(ConfigError):
        native.parse(config, "config.json")


def test_a_model_without_towers_is_none(spec: CLIPSpec) -> None:
    config = native.dump(spec) | {"vision_cfg": None, "text_cfg": None}
    with pytest.raises(ConfigError, match="neither vision_cfg nor text_cfg"):
        native.parse(config, "config.json")


def test_a_config_of_others_is_told_apart(tiny: Path) -> None:
    others = json.loads((tiny / open_clip.CONFIG_NAME).read_text())
    assert not native.is_native(others)
    with pytest.raises(ConfigError, match="not written by zoo"):
        native.parse(others, "config.json")
