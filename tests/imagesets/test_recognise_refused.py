"""What is no data set, or a damaged one, is told; nothing is left out unseen."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.imagesets.conftest import IDS, class_folders, flat, jpeg, own_folders, parquet, shards
from zoo.errors import DatasetError, NotFoundError, PathError, TruncatedError
from zoo.imagesets import imagenet
from zoo.imagesets.flat import KIT
from zoo.imagesets.recognise import open_imageset
from zoo.imagesets.tree import Stored


def not_there(at: Path) -> Path:
    return at / "nowhere"


def numbers(at: Path) -> Path:
    return own_folders(at, tuple(map(str, range(12))))


def numbers_with_names(at: Path) -> Path:
    (numbers(at) / "classes.txt").write_text("\n".join("abcdefghijkl"))
    (at / "templates.txt").write_text("{}")
    return at


def no_place(at: Path) -> Path:
    (own_folders(at) / "classes.txt").write_text("a\nb")
    (at / "templates.txt").write_text("a photo of {0.__class__}")
    return at


def no_templates(at: Path) -> Path:
    (own_folders(at) / "classes.txt").write_text("a\nb")
    return at


def bad_json(at: Path) -> Path:
    (own_folders(at) / "classes.json").write_text('["a", 2]')
    (at / "templates.txt").write_text("{}")
    return at


def not_utf8(at: Path) -> Path:
    (own_folders(at) / "classes.txt").write_bytes(b"\xff\xfe")
    (at / "templates.txt").write_text("{}")
    return at


def empty(at: Path) -> Path:
    at.mkdir()
    return at


def loose(at: Path) -> Path:
    empty(at)
    (at / "1.jpg").write_bytes(jpeg(1))
    return at


def flat_without_kit(at: Path) -> Path:
    empty(at)
    (at / "ILSVRC2012_val_00000001.JPEG").write_bytes(jpeg(1))
    return at


def stranger(at: Path) -> Path:
    own_folders(at, (IDS[0],))
    (at / IDS[0] / "notes.txt").write_text("")
    return at


def unknown_class(at: Path) -> Path:
    return own_folders(at, (IDS[0], "n99999999"))


def compressed(at: Path) -> Path:
    own_folders(at, (IDS[0],))
    with tarfile.open(at.with_suffix(".tgz"), "w:gz") as archive:
        archive.add(at, "val")
    return at.with_suffix(".tgz")


def no_parquet(at: Path) -> Path:
    empty(at)
    (at / "a.parquet").write_bytes(b"PAR1 and no more")
    return at


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (not_there, NotFoundError, "no such data set"),
        (lambda at: Path("~nobody-here/data"), NotFoundError, "no such home folder"),
        (numbers, DatasetError, "nothing names the classes: 0, 1, 10, ... are no WordNet ids"),
        (numbers_with_names, DatasetError, "10 comes before 2"),
        (no_place, DatasetError, "a template has no {}: 'a photo of {0.__class__}'"),
        (no_templates, DatasetError, "class names in classes.txt, and no templates"),
        (bad_json, DatasetError, "classes.json: Expected `str`, got `int`"),
        (not_utf8, DatasetError, "classes.txt is not UTF-8"),
        (empty, DatasetError, "there are no files"),
        (loose, DatasetError, "loose pictures, and nothing says which class each is of"),
        (flat_without_kit, DatasetError, "loose pictures, and nothing says which class"),
        (stranger, DatasetError, "among the pictures lies a file that is none"),
        (unknown_class, DatasetError, "n99999999 are no classes of ImageNet's 1,000"),
        (compressed, DatasetError, "a tar that can be read in place"),
        (no_parquet, DatasetError, "not parquet"),
    ],
)
def test_what_is_no_data_set(
    make: Callable[[Path], Path], error: type[Exception], said: str, tmp_path: Path
) -> None:
    with pytest.raises(error) as caught:
        open_imageset(str(make(tmp_path / "data")))
    assert said in str(caught.value)


def test_a_kit_that_ends_too_early(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = flat(tmp_path / "data", samples)
    truth = data / KIT / "data" / "ILSVRC2012_validation_ground_truth.txt"
    truth.write_text("1\n" * 47)
    with pytest.raises(DatasetError, match="has no line 48"):
        open_imageset(str(data))
    truth.write_text("2000\n" * 50)
    with pytest.raises(DatasetError, match="no class 2000"):
        open_imageset(str(data))
    truth.write_text("1\none\n")
    with pytest.raises(DatasetError, match=r"ground_truth\.txt is damaged: .*'one'"):
        open_imageset(str(data))


def test_a_packed_kit_of_which_a_byte_has_changed(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = flat(tmp_path / "data", samples)
    packed = data / f"{KIT}.tar.gz"
    with tarfile.open(packed, "w:gz", compresslevel=0) as archive:
        archive.add(data / KIT, KIT)
    shutil.rmtree(data / KIT)
    open_imageset(str(data))
    content = packed.read_bytes()
    line = content.index(b"\n1000\n")
    packed.write_bytes(content[:line] + b"\n1001\n" + content[line + 6 :])
    with pytest.raises(DatasetError, match="can't be read: CRC check failed"):
        open_imageset(str(data))


@pytest.mark.parametrize(
    "header", [{"GNU.sparse.map": "a,b"}, {"GNU.sparse.major": "1"}, {"size": "-7"}]
)
def test_a_tar_with_numbers_that_are_none(header: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "data.tar"
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo("n01440764/1.jpg")
        member.pax_headers = {"GNU.sparse.minor": "0", **header}
        archive.addfile(member)
    with pytest.raises(DatasetError, match=r"can be read in place|no size"):
        open_imageset(str(path))


def test_a_parquet_file_with_a_damaged_column(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = parquet(tmp_path / "data", samples)
    path = sorted((data / "data").iterdir())[0]
    images = open_imageset(str(data))
    content = bytearray(path.read_bytes())
    content[4:200] = bytes(196)
    path.write_bytes(content)
    damaged = [image.stored for image in images.pictures if image.name.startswith(path.name)]
    with pytest.raises(DatasetError, match="group 0 can't be read"):
        damaged[0].read()


def test_a_label_beyond_imagenet_s_in_a_damaged_set(tmp_path: Path) -> None:
    labels = [label for label in (*range(999), 5000) for _ in range(50)]
    rows = [
        (f"{n}.jpg", label, Stored(path=tmp_path, offset=0, size=1))
        for n, label in enumerate(labels[:-1])
    ]
    with pytest.raises(DatasetError, match="label 5000 has 49 and not 50"):
        imagenet.imagenet("class folders", rows, where=tmp_path)


@pytest.mark.parametrize("kind", ["..", "/etc/absolute", "link", "hard link", "device"])
def test_a_tar_with_a_member_that_has_no_place_there(kind: str, samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "hostile.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(class_folders(tmp_path / "data", samples) / "val", "val")
        types = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}
        name = {"..": "val/../../x.jpg"}.get(kind, kind if kind.startswith("/") else "val/x.jpg")
        member = tarfile.TarInfo(name)
        member.type = types.get(kind, tarfile.REGTYPE)
        member.linkname = "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(PathError, match="member of the tar"):
        open_imageset(str(path))


def test_a_tar_that_is_cut_off(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "cut.tar"
    with tarfile.open(path, "w") as archive:
        archive.add(class_folders(tmp_path / "data", samples) / "val", "val")
    whole = path.read_bytes()
    images = open_imageset(str(path))
    path.write_bytes(whole[: images.pictures[-1].stored.offset + 10])  # type: ignore[attr-defined]
    with pytest.raises((TruncatedError, DatasetError)):
        open_imageset(str(path))
    with pytest.raises(TruncatedError, match="shorter"):
        images.pictures[-1].stored.read()


def test_a_label_without_a_picture(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = shards(tmp_path / "data", samples)
    with tarfile.open(data / "imagenet1k-validation-00.tar", "a") as archive:
        archive.addfile(tarfile.TarInfo("000099.cls"))
    with pytest.raises(DatasetError, match="000099 has a picture or a label, and not both"):
        open_imageset(str(data))
