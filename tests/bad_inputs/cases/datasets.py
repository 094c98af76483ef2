"""Data sets that are not what they claim to be, as ``zoo verify --zero-shot`` meets them."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.bad_inputs.case import Case
from zoo.imagesets import imagenet
from zoo.imagesets.flat import KIT, META

TITLE = "Data sets"

IDS = list(imagenet.label_of())
COMMAND = ("verify", "tiny-digits", "--zero-shot", "--data", "{at}/in")


def png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, "PNG")
    return file.getvalue()


def folders(at: Path, names: list[str], **files: str) -> Path:
    """Class folders with a picture each, and text files beside them."""
    first = at / "in" / names[0] / "1.png"
    for name in names:
        place = at / "in" / name / "1.png"
        place.parent.mkdir(parents=True)
        if place == first:
            place.write_bytes(png())
        else:
            place.hardlink_to(first)
    for name, text in files.items():
        (at / "in" / f"{name}.txt").write_text(text)
    return at / "in"


def many(at: Path) -> None:
    """ImageNet's 50,000 without one."""
    import pyarrow
    import pyarrow.parquet

    labels = [label for label in range(1000) for _ in range(50)][:-1]
    table = pyarrow.table({"image": [png()] * len(labels), "label": labels})
    pyarrow.parquet.write_table(table, at / "in.parquet")


def flat(at: Path) -> None:
    (at / "in").mkdir()
    (at / "in" / "ILSVRC2012_val_00000001.JPEG").write_bytes(png())


def bomb(at: Path) -> None:
    """A development kit of a few bytes that would unpack to 4 GB."""
    flat(at)
    member = tarfile.TarInfo(f"{KIT}/{META}")
    member.size = 4 << 30
    (at / "in" / f"{KIT}.tar.gz").write_bytes(gzip.compress(member.tobuf()))


def hostile(change: Callable[[tarfile.TarInfo], Any]) -> Callable[[Path], None]:
    def make(at: Path) -> None:
        with tarfile.open(at / "in", "w") as archive:
            member = tarfile.TarInfo(f"{IDS[0]}/1.png")
            change(member)
            archive.addfile(member)

    return make


def cut(at: Path) -> None:
    with tarfile.open(at / "in", "w") as archive:
        for name in IDS[:2]:
            member = tarfile.TarInfo(f"val/{name}/1.png")
            member.size = 4096
            archive.addfile(member, io.BytesIO(bytes(4096)))
    whole = (at / "in").read_bytes()
    (at / "in").write_bytes(whole[: 2 * 512 + 4096 + 1000])


def case(make: Callable[[Path], object], name: str, *says: str, input: str) -> Case:
    return Case(input=input, make=make, command=COMMAND, code=4, name=name, says=says)


NAMES = ["ant", "bee"]
CASES: dict[str, Case] = {
    "999-classes": case(
        lambda at: folders(at, IDS[:-1]),
        "DATASET",
        "999 of 1,000 classes, 999 of 50,000 images",
        input="ImageNet with 999 class folders",
    ),
    "49999-images": Case(
        input="ImageNet with 49,999 images",
        make=many,
        command=(*COMMAND[:-1], "{at}/in.parquet"),
        code=4,
        name="DATASET",
        says=("1,000 of 1,000 classes, 49,999 of 50,000 images", "n15075141 has 49 and not 50"),
    ),
    "numbered-classes": case(
        lambda at: folders(at, [str(i) for i in range(1000)]),
        "DATASET",
        "nothing names the classes: 0, 1, 10",
        input="class folders named 0 to 999",
    ),
    "1001-labels": case(
        lambda at: folders(
            at,
            [f"images/{name}" for name in IDS],
            labels="\n".join(f"name {i}" for i in range(1001)),
            templates="a {}",
        ),
        "DATASET",
        "1,001 class names and 1,000 class folders",
        input="`labels.txt` with 1,001 lines",
    ),
    "no-place": case(
        lambda at: folders(at, NAMES, classes="ant\nbee", templates="a photo"),
        "DATASET",
        "a template has no {}: 'a photo'",
        input="a template without `{}`",
    ),
    "no-templates": case(
        lambda at: folders(at, NAMES, classes="ant\nbee"),
        "DATASET",
        "no templates",
        "templates.txt",
        input="class names without templates",
    ),
    "empty": case(
        lambda at: (at / "in").mkdir(), "DATASET", "there are no files", input="an empty folder"
    ),
    "flat": case(
        flat,
        "DATASET",
        "nothing says which class each is of",
        "development kit",
        input="a flat folder without labels",
    ),
    "kit-bomb": case(
        bomb,
        "DATASET",
        "larger than any development kit",
        input="a development kit of 100 bytes that unpacks to 4 GB",
    ),
    "climbing-member": case(
        hostile(lambda member: setattr(member, "name", "../../escaped.png")),
        "PATH",
        "leads out of it",
        input="a tar with a member `../../escaped.png`",
    ),
    "absolute-member": case(
        hostile(lambda member: setattr(member, "name", "/escaped.png")),
        "PATH",
        "leads out of it",
        input="a tar with a member of an absolute path",
    ),
    "link-member": case(
        hostile(lambda member: setattr(member, "type", tarfile.SYMTYPE)),
        "PATH",
        "no plain file",
        input="a tar with a link",
    ),
    "device-member": case(
        hostile(lambda member: setattr(member, "type", tarfile.CHRTYPE)),
        "PATH",
        "no plain file",
        input="a tar with a device",
    ),
    "cut-tar": case(cut, "TRUNCATED", "the tar is cut off", input="a tar that is cut off"),
}
