"""Predictions kept batch by batch: what a kill leaves is used, what has changed is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from zoo.errors import DatasetError
from zoo.imagesets.imageset import ImageSet
from zoo.imagesets.recognise import open_imageset
from zoo.verify.journal import Journal, journal_folder, read_rows
from zoo.verify.zeroshot import Row

SIZE = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name in "ab":
        (folder / name).mkdir(parents=True)
        for number in range(4):
            (folder / name / f"{number}.png").write_bytes(f"{name}{number}".encode())
    (folder / "classes.txt").write_text("ant\nbee")
    (folder / "templates.txt").write_text("{}")
    return folder


def rows(images: ImageSet, number: int) -> list[Row]:
    return [
        Row(
            place=place,
            image=picture.name,
            sha256=hashlib.sha256(picture.stored.read()).hexdigest(),
            label=picture.label,
            top=(0, 1),
            margin=0.1 * place,
        )
        for place, picture in enumerate(images.pictures)
        if place // SIZE == number
    ]


def killed(at: Path, data: Path) -> None:
    """Two of three batches made by two processes; the second died while it wrote another."""
    images = open_imageset(str(data))
    journal = Journal(at, images, SIZE, Row)
    assert list(journal.batches()) == [0, 1, 2]
    journal.add(rows(images, 0), 0)
    journal.add(rows(images, 2), 1)
    part = at / "rank-1.jsonl"
    journal.add(rows(images, 1), 1)
    torn = part.read_bytes()[:-20]
    part.write_bytes(torn)


def test_it_goes_on_where_it_was(data: Path, tmp_path: Path) -> None:
    at = tmp_path / "journal"
    killed(at, data)
    images = open_imageset(str(data))
    journal = Journal(at, images, SIZE, Row)
    assert list(journal.batches()) == [1], "a torn batch is made again"
    assert len(journal.batches()[1]) == 3
    journal.finish([*journal.kept, *rows(images, 1)], {"seconds": 1.0})
    found = read_rows(at, Row)
    assert [row.place for row in found] == list(range(8))
    assert found == [row for number in range(3) for row in rows(images, number)]
    assert not list(at.glob("rank-*")) and not (at / "journal.json").exists()


def test_in_one_go_it_is_the_same(data: Path, tmp_path: Path) -> None:
    images = open_imageset(str(data))
    everything = [row for number in range(3) for row in rows(images, number)]
    Journal(tmp_path / "whole", images, SIZE, Row).finish(everything, {})
    killed(tmp_path / "torn", data)
    resumed = Journal(tmp_path / "torn", images, SIZE, Row)
    resumed.finish([*rows(images, 1), *resumed.kept], {})
    one, two = (tmp_path / name / Row.FILE for name in ("whole", "torn"))
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("change", ["bytes", "more", "fewer", "label", "unreadable"])
def test_data_that_changed_in_between_is_refused(change: str, data: Path, tmp_path: Path) -> None:
    killed(tmp_path / "journal", data)
    if change == "bytes":
        (data / "a" / "0.png").write_bytes(b"A0")
    elif change == "more":
        (data / "b" / "9.png").write_bytes(b"b9")
    elif change == "fewer":
        (data / "b" / "3.png").unlink()
    elif change == "label":
        (data / "a" / "0.png").rename(data / "b" / "0a.png")
    else:
        (data / "a" / "0.png").unlink()
        (data / "a" / "0.png").symlink_to("/dev/null")
    with pytest.raises(DatasetError, match="has changed since this evaluation began") as caught:
        Journal(tmp_path / "journal", open_imageset(str(data)), SIZE, Row)
    assert str(tmp_path / "journal") in str(caught.value), "it says which folder to remove"


@pytest.mark.parametrize(
    "torn",
    [
        b"\0" * 50 + b"\n",  # what a file system may leave of a block it never wrote
        b"\xff\xfe\n",
        b"[]\n",
        b'{"place": 1}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_no_row_is_made_again(torn: bytes, data: Path, tmp_path: Path) -> None:
    killed(tmp_path / "journal", data)
    part = tmp_path / "journal" / "rank-0.jsonl"
    lines = part.read_bytes().splitlines(keepends=True)
    part.write_bytes(b"".join([lines[0], torn, *lines[2:]]))
    journal = Journal(tmp_path / "journal", open_imageset(str(data)), SIZE, Row)
    assert list(journal.batches()) == [0, 1]


@pytest.mark.parametrize(
    "forged",
    [
        {"label": 1},
        {"image": "b/0.png"},
        {"place": -1},
        {"place": 99},
        {"top": ()},
        {"margin": None},
        {"problem": "FORMAT: no picture"},
    ],
)
def test_a_row_that_can_not_be_of_its_picture_is_made_again(
    forged: dict[str, Any], data: Path, tmp_path: Path
) -> None:
    images = open_imageset(str(data))
    journal = Journal(tmp_path / "journal", images, SIZE, Row)
    honest = rows(images, 0)
    journal.add([msgspec.structs.replace(honest[0], **forged), *honest[1:]], 0)
    resumed = Journal(tmp_path / "journal", images, SIZE, Row)
    assert resumed.kept == [] and list(resumed.batches()) == [0, 1, 2]


def test_a_finished_evaluation_begins_anew(data: Path, tmp_path: Path) -> None:
    images = open_imageset(str(data))
    Journal(tmp_path / "journal", images, SIZE, Row).finish(rows(images, 0), {})
    (data / "a" / "0.png").write_bytes(b"A0")
    journal = Journal(tmp_path / "journal", open_imageset(str(data)), SIZE, Row)
    assert not journal.kept and len(journal.batches()) == 3


def test_the_folder_is_named_by_all_that_matters(zoo_home: Path) -> None:
    one = journal_folder("zero-shot", "m", {"tensors": "a", "prompts": "b"})
    assert one.parent == zoo_home / "zero-shot" / "m"
    assert one == journal_folder("zero-shot", "m", {"prompts": "b", "tensors": "a"})
    assert one != journal_folder("zero-shot", "m", {"tensors": "a", "prompts": "c"})
