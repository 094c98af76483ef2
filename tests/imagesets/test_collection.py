"""Pictures as people have them, without labels; texts, one per line."""

from __future__ import annotations

import errno
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from zoo.errors import AccessError, DatasetError, NotFoundError, PathError
from zoo.imagesets.ahead import digest_of
from zoo.imagesets.bundled import held_out_digits
from zoo.imagesets.collection import open_collection


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photographs"
    for name, picture in zip(
        ("b.pgm", "a/deep/er/c.pgm", "a/d.pgm"), held_out_digits().pictures, strict=False
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(picture.stored.read())
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.pgm").write_bytes(b"")
    (folder / ".git").mkdir()
    (folder / ".git" / "e.pgm").write_bytes(b"")
    return folder


def names(images: Path) -> list[str]:
    return [picture.name for picture in open_collection(images, None).pictures]


def test_a_folder_is_read_to_its_depth_in_a_fixed_order(photographs: Path) -> None:
    assert names(photographs) == ["a/d.pgm", "a/deep/er/c.pgm", "b.pgm"]


def test_tars_are_read_in_place(photographs: Path, tmp_path: Path) -> None:
    for path in (tmp_path / "one.tar", photographs / "two.tar"):
        with tarfile.open(path, "w") as tar:
            tar.add(photographs / "b.pgm", "x/b.pgm")
            tar.add(photographs / "notes.txt", "x/notes.txt")
            tar.add(photographs / "a" / "d.pgm", "y/d.pgm")
    assert names(tmp_path / "one.tar") == ["x/b.pgm", "y/d.pgm"]
    assert names(photographs)[-2:] == ["two.tar/x/b.pgm", "two.tar/y/d.pgm"]
    in_tar, plain = (
        {p.name: digest_of(p) for p in open_collection(path, None).pictures}
        for path in (tmp_path / "one.tar", photographs)
    )
    assert in_tar["y/d.pgm"] == plain["a/d.pgm"] is not None


def test_a_member_that_leads_out_is_refused(photographs: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "bad.tar", "w") as tar:
        tar.add(photographs / "b.pgm", "../b.pgm")
    with pytest.raises(PathError, match="leads out"):
        open_collection(tmp_path / "bad.tar", None)


def test_a_list_is_relative_to_its_own_folder(photographs: Path) -> None:
    (photographs / "list.txt").write_text(f"b.pgm\n\n{photographs}/a/d.pgm\ngone.pgm\n")
    pictures = open_collection(photographs / "list.txt", None).pictures
    assert [picture.name for picture in pictures] == ["b.pgm", f"{photographs}/a/d.pgm", "gone.pgm"]
    assert [digest_of(picture) is None for picture in pictures] == [False, False, True]


def test_one_picture(photographs: Path) -> None:
    assert names(photographs / "b.pgm") == ["b.pgm"]


def test_a_text_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_bytes("\ufeffa cat\r\n\n dög\u2028still\n".encode())
    assert open_collection(None, path).captions == ("a cat", "", " dög\u2028still")
    for data in (b"ok\n\xff\n", "a.jpg\n".encode("utf-16-le")):
        path.write_bytes(data)
        for given in ((None, path), (path, None)):
            with pytest.raises(DatasetError, match="not UTF-8"):
                open_collection(*given)


def test_a_folder_that_can_t_be_looked_into_is_told(
    photographs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photographs / "closed").mkdir()
    scandir = os.scandir

    def scan(place: str) -> Any:
        if Path(place).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(place))
        return scandir(place)

    monkeypatch.setattr(os, "scandir", scan)
    with pytest.raises(AccessError, match="closed"):
        open_collection(photographs, None)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_collection(tmp_path / "nowhere", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no picture"):
        open_collection(tmp_path / "empty", None)


def test_the_digest_is_of_pictures_and_texts(photographs: Path, tmp_path: Path) -> None:
    texts = tmp_path / "texts.txt"
    texts.write_text("a\nb\n")
    first = open_collection(photographs, texts).listing_digest
    assert open_collection(photographs, texts).listing_digest == first
    texts.write_text("a\nc\n")
    second = open_collection(photographs, texts).listing_digest
    (photographs / "b.pgm").write_bytes(b"x")
    assert len({first, second, open_collection(photographs, texts).listing_digest}) == 3
