"""Rung 5: equal, not close; one tower is judged by what it takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import CLIPSpec, open_clip
from zoo.verify.goldens import Taps
from zoo.verify.probe import load_probe
from zoo.verify.rungs.pipeline import check_pipeline

PROBE = load_probe()


@pytest.fixture(scope="module")
def spec(tiny: Path) -> CLIPSpec:
    return open_clip.read(tiny / open_clip.CONFIG_NAME)


@pytest.fixture
def inputs(spec: CLIPSpec) -> dict[str, Any]:
    assert spec.preprocess
    prepare = Preprocess(spec.preprocess)
    return {
        "input.pixels": np.stack([prepare(open_image(path)) for path in PROBE.images]),
        "input.tokens": Tokenizer()(PROBE.texts),
    }


def test_equal_inputs_pass(spec: CLIPSpec, inputs: dict[str, Any]) -> None:
    outcome = check_pipeline(spec, PROBE, Taps(inputs))
    assert outcome.status == "pass"
    assert outcome.figures.keys() == {
        *("images", "images unequal", "largest pixel difference", "texts", "texts unequal")
    }
    assert set(outcome.bounds.values()) == {0}
    assert outcome.measured_on is not None
    assert outcome.measured_on.name == f"probe: {len(PROBE.images)} images, 24 texts"


@pytest.mark.parametrize(
    ("kind", "place", "named"),
    [("pixels", (1, 2, 3, 4), PROBE.images[1].name), ("tokens", (2, 1), repr(PROBE.texts[2]))],
)
def test_the_first_that_differs_is_named(
    spec: CLIPSpec, inputs: dict[str, Any], kind: str, place: tuple[int, ...], named: str
) -> None:
    changed = inputs[f"input.{kind}"]
    changed[place] = np.nextafter(changed[place], 9) if kind == "pixels" else 7
    outcome = check_pipeline(spec, PROBE, Taps(inputs))
    assert outcome.status == "fail"
    assert outcome.reason == f"1 images and texts differ; the first is {named}"


def test_one_tower_is_judged_by_its_half(spec: CLIPSpec, inputs: dict[str, Any]) -> None:
    pixels, tokens = inputs["input.pixels"], inputs["input.tokens"]
    image = check_pipeline(replace(spec, text=None), PROBE, Taps({"input.pixels": pixels}))
    assert (image.status, "texts" in image.figures) == ("pass", False)
    texts = replace(spec, vision=None, preprocess=None)
    text = check_pipeline(texts, PROBE, Taps({"input.tokens": tokens}))
    assert (text.status, "images" in text.figures) == ("pass", False)
    assert text.measured_on is not None and text.measured_on.name == "probe: 24 texts"
    tokens[0, 0] = 3
    assert check_pipeline(texts, PROBE, Taps({"input.tokens": tokens})).status == "fail"


def test_where_nobody_says_how_pictures_are_prepared_it_does_not_run(
    spec: CLIPSpec, inputs: dict[str, Any]
) -> None:
    outcome = check_pipeline(replace(spec, preprocess=None), PROBE, Taps(inputs))
    assert outcome.status == "not run"
    assert "how pictures are prepared" in str(outcome.reason)
