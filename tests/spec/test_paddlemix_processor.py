from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, PreprocessSpec, paddlemix_processor
from zoo.spec.paddlemix_processor import EVAL, IMAGE_NAME, TEXT_NAME, TRAIN


def parse(**fields: Any) -> PreprocessSpec:
    return paddlemix_processor.parse(fields, "", image_size=(224, 224))


def test_what_is_absent_has_paddlemix_s_default_which_is_no_clip_s() -> None:
    assert parse() == PreprocessSpec(
        size=(224, 224),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        interpolation="bilinear",
        resize="squash",
        fill=0,
    )


def test_sizes_are_written_in_several_ways() -> None:
    assert parse(size={"shortest_edge": 224}).resize == "shortest"
    assert parse(size=224, default_to_square=False, crop_size=224).resize == "shortest"
    assert parse(size=224).resize == "squash"
    edges = {"height": 224, "width": 224}
    assert parse(size=edges, crop_size=edges, default_to_square=False).resize == "squash"


def test_evaluation_reads_interpolation_and_not_resample() -> None:
    assert parse(resample=3).interpolation == "bilinear"
    assert parse(resample=2, interpolation="bicubic").interpolation == "bicubic"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"size": 256}, "resized to 256 x 256"),
        ({"crop_size": 196}, "cropped to 196 x 196"),
        ({"do_rescale": True}, "do_rescale"),
        ({"do_normalize": False}, "do_normalize"),
        ({"do_convert_rgb": False}, "do_convert_rgb"),
        ({"interpolation": "lanczos"}, "lanczos"),
        ({"gamma": 2.0}, "unknown field gamma"),
    ],
)
def test_what_zoo_does_not_do_is_refused_by_name(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(**fields)
    assert message in caught.value.what


@given(data=st.data())
def test_the_file_for_evaluation_is_parsed_again(
    specs: st.SearchStrategy[CLIPSpec], data: st.DataObject
) -> None:
    drawn = data.draw(specs).preprocess
    assert drawn is not None
    spec = replace(drawn, size=(drawn.size[0],) * 2, fill=0)
    if spec.resize == "longest":
        with pytest.raises(ConfigError, match="longest"):
            paddlemix_processor.dump(spec, 77)
        return
    files = paddlemix_processor.dump(spec, 77)
    image = files[f"{EVAL}/{IMAGE_NAME}"]
    assert paddlemix_processor.parse(image, "", image_size=spec.size) == spec


def test_training_crops_at_random_out_of_height_and_width() -> None:
    """PaddleMIX's random crop takes the values of ``size`` for height and width."""
    files = paddlemix_processor.dump(parse(size={"shortest_edge": 224}), 77)
    train = files[f"{TRAIN}/{IMAGE_NAME}"]
    assert list(train["size"].values()) == [224, 224]
    assert (train["do_rand_resize_crop"], train["scale"]) == (True, [0.9, 1.0])
    assert files[f"{TRAIN}/{TEXT_NAME}"]["max_words"] == 77


def test_pictures_that_are_not_square_are_not_paddlemix_s() -> None:
    spec = replace(parse(), size=(224, 320))
    with pytest.raises(ConfigError, match="224 x 320"):
        paddlemix_processor.dump(spec, 77)
