"""Whatever the layout, the same pictures under the same labels."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from tests.imagesets.conftest import (
    IDS,
    LABELS,
    class_folders,
    own_folders,
    parquet,
    seeds,
    shards,
)
from zoo.errors import DatasetError
from zoo.imagesets import imagenet
from zoo.imagesets import parquet as layout
from zoo.imagesets.recognise import open_imageset


def content(data: Path) -> list[tuple[int, str]]:
    pictures = open_imageset(str(data)).pictures
    return sorted((p.label, hashlib.sha256(p.stored.read()).hexdigest()) for p in pictures)


def test_every_layout_holds_the_same(laid_out: Path, samples) -> None:  # type: ignore[no-untyped-def]
    expected = sorted((s.label, hashlib.sha256(s.data).hexdigest()) for s in samples)
    assert content(laid_out) == expected


def test_every_layout_is_known_as_imagenet(laid_out: Path) -> None:
    images = open_imageset(str(laid_out))
    assert images.name == "imagenet1k" and not images.whole and images.expected == 50_000
    assert "5 of 1,000 classes, 6 of 50,000 images" in images.layout
    assert images.classes == imagenet.class_names() and len(images.templates) == 80
    assert sorted(picture.label for picture in images.pictures) == sorted(LABELS)
    names = [picture.name for picture in images.pictures]
    assert names == sorted(names)


def test_imagenet_is_whole_with_all_its_pictures(samples) -> None:  # type: ignore[no-untyped-def]
    from zoo.imagesets.imagenet import imagenet as make

    class Nothing:
        size = 0

        def read(self) -> bytes:
            return b""

    rows = [(f"{i:02}", label, Nothing()) for label in range(1000) for i in range(50)]
    assert make("so", rows, where=Path()).whole
    for damaged, said in (
        (rows[:-1], "1,000 of 1,000 classes, 49,999 of 50,000 images; n15075141 has 49"),
        (rows[50:], "999 of 1,000 classes, 49,950 of 50,000 images"),
        (rows[::50][1:], "999 of 1,000 classes, 999 of 50,000 images"),
        ([*rows, ("51", 3, Nothing())], "50,001 of 50,000 images; n01491361 has 51"),
    ):
        with pytest.raises(DatasetError, match=said):
            make("so", damaged, where=Path())
    assert not make("so", rows[:5000], where=Path()).whole
    assert not make("so", rows[::50], where=Path()).whole


@pytest.mark.parametrize(
    "files",
    [
        {"classes.json": '["ant", "bee"]', "templates.json": '["a {}"]'},
        {"classes.json": '{"b": "bee", "a": "ant"}', "templates.txt": "a {}\n"},
        {"classes.txt": "ant\nbee\n\n", "templates.txt": "a {}"},
        {"labels.txt": "\ufeffant\r\nbee", "templates.txt": "a {}"},
        {"classnames.txt": "ant\nbee", "zeroshot_classification_templates.txt": "a {c}"},
    ],
)
def test_words_of_ones_own(files: dict[str, str], tmp_path: Path) -> None:
    data = own_folders(tmp_path / "insects")
    for name, text in files.items():
        (data / name).write_text(text, encoding="utf-8")
    images = open_imageset(str(data))
    assert images.classes == ("ant", "bee") and images.templates == ("a {}",)
    assert images.name == "own data: insects" and not images.whole
    assert [(p.name, p.label) for p in images.pictures] == [("a/1.png", 0), ("b/1.png", 1)]


def test_the_seeds_layout(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = seeds(tmp_path / "in1k", samples)
    assert open_imageset(str(data)).layout.startswith("images/ with labels.txt and templates.txt")
    (data / "labels.txt").write_text("\n".join([*imagenet.class_names(), "one more"]))
    with pytest.raises(DatasetError, match="1,001 class names and 5 class folders"):
        open_imageset(str(data))
    (data / "labels.txt").write_text("\n".join("abcde"))
    other = open_imageset(str(data))
    assert other.name == "own data: in1k", "other words than the claims' measure something else"
    assert [picture.label for picture in other.pictures] == [0, 1, 1, 2, 3, 4]


def test_shards_of_ones_own(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = shards(tmp_path / "data", samples[:3])
    (data / "classnames.txt").write_text("\n".join("abcdefgh"))
    (data / "zeroshot_classification_templates.txt").write_text("a {c}.")
    images = open_imageset(str(data))
    assert images.classes == tuple("abcdefgh") and images.templates == ("a {}.",)
    (data / "classnames.txt").write_text("a\nb")
    with pytest.raises(DatasetError, match="label 7 is outside the 2 classes"):
        open_imageset(str(data))


def test_of_a_large_row_group_only_some_rows_are_held(  # type: ignore[no-untyped-def]
    tmp_path: Path, monkeypatch
) -> None:
    import pyarrow.parquet

    cells = [{"bytes": b"%d" % row, "path": None} for row in range(50)]
    table = pyarrow.table({"image": cells, "label": [0] * 50})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    for held in (1 << 20, 1):
        monkeypatch.setattr(layout, "HELD", held)
        monkeypatch.setattr(layout, "FEW", 8)
        group = layout.Group(tmp_path / "a.parquet", 0)
        for row in (0, 1, 7, 8, 30, 3, 49, 48):
            assert group.picture(row) == b"%d" % row
            assert len(group._batch) == (50 if held > 1 else 2 if row > 47 else 8)


def test_no_row_group_is_read_twice(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    images = open_imageset(str(parquet(tmp_path / "data", samples * 4)))
    layout._group.cache_clear()
    for picture in images.pictures:
        picture.stored.read()
    assert len(images.pictures) == 24 and layout._group.cache_info().misses == 24 // 2


def test_one_parquet_file(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = parquet(tmp_path / "data", samples)
    first = next(iter(sorted((data / "data").iterdir())))
    assert len(open_imageset(str(first)).pictures) == 3


def test_a_linked_class_folder_is_followed(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = class_folders(tmp_path / "data", samples)
    before = content(data)
    elsewhere = shutil.move(data / "val" / IDS[0], tmp_path / "elsewhere")
    (data / "val" / IDS[0]).symlink_to(elsewhere)
    assert content(data) == before
