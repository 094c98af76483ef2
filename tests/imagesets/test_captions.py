from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import DatasetError
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.recognise import open_data, open_imageset


def karpathys(at: Path, name: str = "dataset_coco.json", folder: str = "val2014") -> Path:
    """Three pictures of the test split among others."""
    images: list[dict[str, Any]] = []
    for number, split in enumerate(("train", "test", "val", "test", "restval", "test")):
        file = f"COCO_{number}.jpg"
        sentences = [{"raw": f"caption {n} of {number}"} for n in range(1 + number)]
        images.append({"filename": file, "split": split, "sentences": sentences})
        if folder:
            images[-1]["filepath"] = folder
        place = at / "images" / folder / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"picture")
    (at / name).write_text(json.dumps({"images": images}))
    return at


def flickrs(at: Path) -> Path:
    karpathys(at, "dataset_flickr30k.json", "")
    (at / "images").rename(at / "flickr30k-images")
    return at


def listed(at: Path, *, one_each: bool = False) -> Path:
    karpathys(at)
    rows: list[dict[str, Any]] = []
    for image in json.loads((at / "dataset_coco.json").read_text())["images"]:
        if image["split"] == "test":
            path = f"{image['filepath']}/{image['filename']}"
            texts = [sentence["raw"] for sentence in image["sentences"]]
            given = texts if one_each else [texts]
            rows += [{"image": path, "caption": c, "image_id": path} for c in given]
    (at / "dataset_coco.json").unlink()
    (at / "annotations").mkdir()
    (at / "annotations" / "coco_karpathy_test.json").write_text(json.dumps(rows))
    return at


def one_each(at: Path) -> Path:
    return listed(at, one_each=True)


@pytest.mark.parametrize("make", [karpathys, flickrs, listed, one_each])
def test_every_layout_holds_the_same(make: Callable[[Path], Path], tmp_path: Path) -> None:
    found = open_data(str(make(tmp_path / "data")))
    assert isinstance(found, CaptionSet)
    assert [p.name.rpartition("/")[2] for p in found.pictures] == [
        "COCO_1.jpg",
        "COCO_3.jpg",
        "COCO_5.jpg",
    ]
    assert found.owner == (0, 0, *[1] * 4, *[2] * 6)
    assert found.captions[2] == "caption 0 of 3"
    assert found.pictures[0].stored.read() == b"picture"


def test_what_is_none(tmp_path: Path) -> None:
    data = karpathys(tmp_path)
    file = data / "dataset_coco.json"
    good = file.read_text()
    no_caption = {"filename": "val2014/COCO_1.jpg", "split": "test", "sentences": []}
    for text, said in (
        ("{", "not JSON"),
        ("[]", "Expected `object`, got `array`"),
        ("{}", "missing required field `images`"),
        ('{"images": []}', "there is no picture"),
        ('{"images": 5}', r"Expected `array`, got `int` - at `\$.images`"),
        (
            json.dumps({"images": [no_caption | {"sentences": 5}]}),
            r"got `int` - at `\$.images\[0\].sentences`",
        ),
        (good.replace("raw", "tokens"), "missing required field `raw`"),
        (good.replace("COCO_3", "COCO_9"), "a picture is not there: 'val2014/COCO_9.jpg'"),
        (good.replace("COCO_3", "../../etc/passwd"), "a picture is not there"),
        (json.dumps({"images": [no_caption]}), "a picture has no caption"),
    ):
        file.write_text(text)
        with pytest.raises(DatasetError, match=said):
            open_data(str(data))
    file.write_text(good)
    with pytest.raises(DatasetError, match="captions, and no labels"):
        open_imageset(str(data))
