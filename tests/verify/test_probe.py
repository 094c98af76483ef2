from __future__ import annotations

import re

import pytest
from PIL import Image

from zoo.verify.probe import load_probe


def test_the_pictures_cover_what_preprocessing_must_get_right() -> None:
    pictures = []
    for path in load_probe().images:
        with Image.open(path) as picture:
            pictures.append(picture)
    assert {picture.mode for picture in pictures} == {"RGB", "L", "P", "RGBA"}
    assert {picture.format for picture in pictures} == {"JPEG", "PNG"}
    assert max(max(picture.size) for picture in pictures) <= 320
    ratios = [picture.width / picture.height for picture in pictures]
    assert min(ratios) < 0.5 and max(ratios) > 1.4
    # Every model but the tiny one enlarges some.
    assert min(min(picture.size) for picture in pictures) < 224


@pytest.mark.parametrize(
    "pattern",
    [
        r"^$",
        r"[a-z]{2}",
        r"[Ѐ-ӿ]",
        r"[一-鿿]",
        r"[؀-ۿ]",
        r"[ऀ-ॿ]",
        r"[\U0001f300-\U0001faff]",
        "&",
        "<",
        r"\s\s",
    ],
)
def test_the_texts_cover_what_a_tokenizer_must_get_right(pattern: str) -> None:
    assert any(re.search(pattern, text) for text in load_probe().texts)


def test_one_text_is_longer_than_any_context() -> None:
    assert max(len(text.split()) for text in load_probe().texts) > 77
