from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, PreprocessSpec, hf_preprocessor
from zoo.spec.open_clip import OPENAI_MEAN, OPENAI_STD

DEFAULT = PreprocessSpec(
    size=(224, 224),
    mean=OPENAI_MEAN,
    std=OPENAI_STD,
    interpolation="bicubic",
    resize="shortest",
    fill=0,
)


def parse(**fields: Any) -> PreprocessSpec:
    return hf_preprocessor.parse(fields, "preprocessor_config.json", image_size=(224, 224))


def test_what_is_absent_has_transformers_s_default() -> None:
    assert parse() == DEFAULT


@pytest.mark.reference
def test_the_defaults_are_those_that_transformers_writes(tmp_path: Path) -> None:
    from zoo.verify.reference.hf_model import CLIPImageProcessorPil

    CLIPImageProcessorPil().save_pretrained(tmp_path)
    found = hf_preprocessor.read(tmp_path, image_size=(224, 224))
    assert found == (DEFAULT, tmp_path / hf_preprocessor.CONFIG_NAME)


def test_sizes_are_written_in_several_ways() -> None:
    assert parse(size=224, crop_size=224, feature_extractor_type="CLIPFeatureExtractor") == DEFAULT
    assert parse(size={"shortest_edge": 224}, crop_size={"height": 224, "width": 224}) == DEFAULT
    squash = replace(DEFAULT, resize="squash")
    edges = {"height": 224, "width": 224}
    assert parse(size=edges) == squash
    assert parse(size=edges, do_center_crop=False, crop_size=99) == squash


def test_the_other_fields_count() -> None:
    spec = parse(image_mean=[0.5, 0.5, 0.25], image_std=[1, 2, 3], resample=2)
    expected = replace(
        DEFAULT, mean=(0.5, 0.5, 0.25), std=(1.0, 2.0, 3.0), interpolation="bilinear"
    )
    assert spec == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 256}, "resized to 256 x 256 and cropped to 224 x 224"),
        ({"crop_size": 196}, "cropped to 196 x 196"),
        ({"do_center_crop": False}, "not cropped"),
        ({"size": {"height": 224, "width": 320}}, "resized to 224 x 320"),
        ({"size": {"shortest_edge": 224, "longest_edge": 448}}, "longest_edge"),
        ({"do_resize": False}, "do_resize"),
        ({"do_normalize": False}, "do_normalize"),
        ({"do_rescale": False}, "do_rescale"),
        ({"do_convert_rgb": False}, "do_convert_rgb"),
        ({"do_pad": True}, "do_pad"),
        ({"default_to_square": True}, "default_to_square"),
        ({"rescale_factor": 0.0078}, "rescale_factor"),
        ({"resample": 1}, "resample = 1"),
        ({"image_processor_type": "ViTImageProcessor"}, "ViTImageProcessor"),
        ({"antialias": False}, "unknown field antialias"),
    ],
)
def test_what_zoo_does_not_do_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(**fields)
    assert message in caught.value.what


@given(data=st.data())
def test_what_is_dumped_is_parsed_again(
    specs: st.SearchStrategy[CLIPSpec], data: st.DataObject
) -> None:
    drawn = data.draw(specs).preprocess
    assert drawn is not None
    spec = replace(drawn, size=(drawn.size[0],) * 2, fill=0)
    if spec.resize == "longest":
        with pytest.raises(ConfigError, match="longest"):
            hf_preprocessor.dump(spec)
        return
    dumped = hf_preprocessor.dump(spec)
    assert hf_preprocessor.parse(dumped, "dumped", image_size=spec.size) == spec


def test_the_file_that_keeps_all_in_one_comes_first(tmp_path: Path) -> None:
    read = hf_preprocessor.read
    assert read(tmp_path, image_size=(224, 224)) is None
    processor, own = (tmp_path / name for name in hf_preprocessor.NAMES)
    own.write_text(json.dumps({"image_mean": [0.5, 0.5, 0.5]}))
    processor.write_text(json.dumps({"processor_class": "CLIPProcessor"}))
    half = replace(DEFAULT, mean=(0.5, 0.5, 0.5))
    assert read(tmp_path, image_size=(224, 224)) == (half, own)
    processor.write_text(json.dumps({"image_processor": {}}))
    assert read(tmp_path, image_size=(224, 224)) == (DEFAULT, processor)
