from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from train.data.find import find_data
from train.data.pairs import read_json
from train.flags import Arguments
from zoo.errors import DatasetError, NotFoundError, UsageError

ENTRY = {
    "caption": "A woman cutting a cake. ",
    "image": "val2014/COCO_val2014_000000522418.jpg",
    "image_id": "coco_522418",
}


@pytest.mark.parametrize("flag", ["--task_name", "--train_annotations"])
def test_custom_annotations(arguments: Callable[..., Arguments], tmp_path: Path, flag: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps([ENTRY, ENTRY | {"caption": "猫"}]))
    pairs = find_data(arguments(flag, path, "--image_root", "/pictures"))
    assert pairs.captions == [ENTRY["caption"], "猫"]
    assert pairs.paths == [f"/pictures/{ENTRY['image']}"] * 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"caption": "a",\n "image": }]', "broken JSON in line 2, column 11"),
        ("[" * 100_000, "nested too deep"),
        ('{"caption": "a"}', "a JSON list"),
        ('[{"image": "a.png"}]', "annotation 0 has no text 'caption'"),
        ('[{"image": 5, "caption": "a"}]', "annotation 0 has no text 'image'"),
        ("[3]", "annotation 0 has no text 'image'"),
    ],
)
def test_broken_annotations_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match=message) as refusal:
        read_json(path, tmp_path)
    assert refusal.value.where == str(path)


def test_annotations_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_bytes('[{"image": "a", "caption": "été"}]'.encode("latin-1"))
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_json(path, tmp_path)


def test_open_clips_csv(arguments: Callable[..., Arguments], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text('filepath\ttitle\n/a.png\ta cat\nb.png\t"a\tdog"\n')
    pairs = find_data(arguments("--task_name", path, "--image_root", "/pictures"))
    assert pairs.captions == ["a cat", "a\tdog"]
    assert pairs.paths == ["/a.png", "/pictures/b.png"]


def test_a_csv_with_other_columns(arguments: Callable[..., Arguments], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("id,picture,caption\n1,a.png,a cat\n")
    keys = ("--csv_img_key", "picture", "--csv_caption_key", "caption", "--csv_separator", ",")
    assert find_data(arguments("--task_name", path, *keys)).captions == ["a cat"]
    with pytest.raises(DatasetError, match=r"no column 'filepath'.*id,picture"):
        find_data(arguments("--task_name", path))


def test_a_csv_row_that_is_too_short(arguments: Callable[..., Arguments], tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("filepath\ttitle\na.png\ta cat\nb.png\n")
    with pytest.raises(DatasetError, match="line 3 has too few columns"):
        find_data(arguments("--task_name", path))


def test_other_data_is_refused(arguments: Callable[..., Arguments]) -> None:
    with pytest.raises(UsageError, match=r"rtqa is no data set that is known[\s\S]*coco_clip"):
        find_data(arguments("--task_name", "rtqa"))
    with pytest.raises(UsageError, match="need --image_root"):
        find_data(arguments("--task_name", "mine.json"))
    with pytest.raises(NotFoundError, match="no such annotations"):
        find_data(arguments("--task_name", "none.json", "--image_root", "."))
