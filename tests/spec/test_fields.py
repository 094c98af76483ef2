from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import ConfigError, FormatError, NotFoundError
from zoo.spec.fields import MAX_CONFIG_BYTES, MAX_LAYERS, Fields, read_json_object, side

KNOWN = ("bicubic", "bilinear")


@pytest.mark.parametrize(
    ("value", "take", "taken"),
    [
        (3, lambda f: f.take("a", int), 3),
        (3, lambda f: f.take("a", float), 3.0),
        (True, lambda f: f.take("a", bool), True),
        (None, lambda f: f.take("a", int, 7), 7),
        (None, lambda f: f.optional("a", float), None),
        (0, lambda f: f.optional("a", float), 0.0),
        (1, lambda f: f.positive("a"), 1),
        (0, lambda f: f.number("a", int, 0, 256), 0),
        (255, lambda f: f.number("a", int, 0, 256), 255),
        (14, lambda f: f.pair("a"), (14, 14)),
        ([14, 16], lambda f: f.pair("a"), (14, 16)),
        (None, lambda f: f.pair("a", 3), (3, 3)),
        ("bilinear", lambda f: f.choice("a", KNOWN), "bilinear"),
        ([1, 0.5, 0], lambda f: f.rgb("a"), (1.0, 0.5, 0.0)),
        (None, lambda f: f.rgb("a", (1.0, 2.0, 3.0)), (1.0, 2.0, 3.0)),
        (None, lambda f: f.require("a", "x"), None),
        ("x", lambda f: f.require("a", "x"), None),
        ("anything", lambda f: f.ignore("a"), None),
    ],
)
def test_a_right_value_is_taken_and_used_up(
    value: object, take: Callable[[Fields], object], taken: object
) -> None:
    fields = Fields({"a": value}, "config")
    found = take(fields)
    assert found == taken
    assert type(found) is type(taken)
    fields.finish()


@pytest.mark.parametrize(
    ("value", "take"),
    [
        (None, lambda f: f.take("a", int)),
        ("3", lambda f: f.take("a", int)),
        (3.0, lambda f: f.take("a", int)),
        (True, lambda f: f.take("a", int)),
        (True, lambda f: f.take("a", float)),
        (10**400, lambda f: f.take("a", float)),
        (1, lambda f: f.take("a", bool)),
        (0, lambda f: f.positive("a")),
        (1 << 31, lambda f: f.positive("a")),
        (-1, lambda f: f.number("a", int, 0, 256)),
        (256, lambda f: f.number("a", int, 0, 256)),
        (float("nan"), lambda f: f.number("a", float, 0, 1)),
        ([14], lambda f: f.pair("a")),
        ([14, 0], lambda f: f.pair("a")),
        ([14, True], lambda f: f.pair("a")),
        ("nearest", lambda f: f.choice("a", KNOWN)),
        ([1, 2], lambda f: f.rgb("a")),
        ([1, 2, "3"], lambda f: f.rgb("a")),
        ([1, 2, float("inf")], lambda f: f.rgb("a")),
        ([1, 2, True], lambda f: f.rgb("a")),
        ([1, 2, 10**400], lambda f: f.rgb("a")),
        ([1, 2, 1e39], lambda f: f.rgb("a")),
        ([1, 2, 0], lambda f: f.std("a")),
        ([1, 2, -1], lambda f: f.std("a")),
        ([1, 2, 1e-45], lambda f: f.std("a")),
        ([], lambda f: f.section("a")),
        ("y", lambda f: f.require("a", "x")),
        ("anything", lambda f: f.finish()),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(value: object, take: Callable[[Fields], Any]) -> None:
    with pytest.raises(ConfigError, match=r"\ba\b") as caught:
        take(Fields({"a": value}, "config"))
    assert caught.value.where == "config"


@pytest.mark.parametrize("layers", [0, MAX_LAYERS + 1, 2_000_000_000])
def test_the_number_of_layers_is_bounded(layers: int) -> None:
    assert Fields({"layers": MAX_LAYERS}, "config").layers() == MAX_LAYERS
    with pytest.raises(ConfigError, match="layers is"):
        Fields({"layers": layers}, "config").layers()


def test_a_section_says_where_it_is() -> None:
    with pytest.raises(ConfigError, match="width is missing") as caught:
        Fields({"vision_cfg": {}}, "config.json").section("vision_cfg").positive("width")
    assert caught.value.where == "config.json: vision_cfg"


def test_null_counts_as_absent() -> None:
    fields = Fields({"a": None, "b": 1}, "config")
    assert "a" not in fields
    assert "b" in fields
    fields.ignore("b")
    fields.finish()


def test_equal_sides_are_written_as_one() -> None:
    assert side((14, 14)) == 14
    assert side((14, 16)) == [14, 16]


def test_a_json_object_is_read(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": [1, 2.5, null, true, "é"]}', encoding="utf-8")
    assert read_json_object(path) == {"a": [1, 2.5, None, True, "é"]}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "the file is not JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' appears twice"),
        (b" " * (MAX_CONFIG_BYTES + 1), "too large"),
    ],
    ids=range(3),
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(text)
    with pytest.raises(FormatError, match=said) as caught:
        read_json_object(path)
    assert caught.value.where == str(path)
    assert len(caught.value.what) < 200


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_json_object(tmp_path / "config.json")
