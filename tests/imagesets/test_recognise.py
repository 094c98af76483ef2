"""Whatever the layout, the same pictures under the same labels."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.imagesets.conftest import IDS, LABELS, class_folders, flat, jpeg, parquet, seeds, shards
from zoo.errors import DatasetError, NotFoundError, PathError, TruncatedError
from zoo.imagesets import imagenet
from zoo.imagesets.flat import KIT
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
    assert [picture.label for picture in images.pictures] == sorted(LABELS)


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


def own_folders(at: Path, names: tuple[str, ...] = ("b", "a")) -> Path:
    for place, name in enumerate(names):
        (at / name).mkdir(parents=True)
        (at / name / "1.png").write_bytes(jpeg(place))
    return at


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


def test_one_parquet_file(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = parquet(tmp_path / "data", samples)
    first = next(iter(sorted((data / "data").iterdir())))
    assert len(open_imageset(str(first)).pictures) == 3


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


def test_a_linked_class_folder_is_followed(samples, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    data = class_folders(tmp_path / "data", samples)
    before = content(data)
    elsewhere = shutil.move(data / "val" / IDS[0], tmp_path / "elsewhere")
    (data / "val" / IDS[0]).symlink_to(elsewhere)
    assert content(data) == before
