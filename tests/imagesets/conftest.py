"""One small data set in every layout: the same pictures, labels and words."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from zoo.imagesets import imagenet
from zoo.imagesets.flat import KIT, META, TRUTH

IDS = list(imagenet.label_of())
LABELS = (0, 7, 7, 657, 744, 999)


class Sample(NamedTuple):
    number: int  # as in ILSVRC2012_val_00000001.JPEG
    label: int
    data: bytes


def jpeg(seed: int) -> bytes:
    """Noise of 12 x 10 pixels."""
    pixels = np.random.default_rng(seed).integers(0, 256, (12, 10, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture(scope="session")
def samples() -> list[Sample]:
    # In an order of numbers that is not the order of labels.
    return [Sample(50 - i, label, jpeg(i)) for i, label in enumerate(LABELS)]


def picture(sample: Sample) -> str:
    return f"ILSVRC2012_val_{sample.number:08}.JPEG"


def class_folders(at: Path, samples: list[Sample]) -> Path:
    for sample in samples:
        place = at / "val" / IDS[sample.label] / picture(sample)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(sample.data)
    (at / "val" / ".DS_Store").write_bytes(b"\0")
    (at / "train" / IDS[0]).mkdir(parents=True)  # nobody looks into it
    return at


def own_folders(at: Path, names: tuple[str, ...] = ("b", "a")) -> Path:
    for place, name in enumerate(names):
        (at / name).mkdir(parents=True)
        (at / name / "1.png").write_bytes(jpeg(place))
    return at


def seeds(at: Path, samples: list[Sample]) -> Path:
    for sample in samples:
        place = at / "images" / IDS[sample.label] / picture(sample)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(sample.data)
    (at / "labels.txt").write_text("\n".join(imagenet.class_names()) + "\n")
    (at / "templates.txt").write_text("\n".join(imagenet.templates()) + "\n")
    return at


def development_kit(folder: Path, samples: list[Sample]) -> None:
    """The kit numbers its classes otherwise than by WordNet id; here backwards."""
    from scipy.io import savemat

    (folder / "data").mkdir(parents=True)
    truth = [1] * max(sample.number for sample in samples)
    for sample in samples:
        truth[sample.number - 1] = imagenet.CLASSES - sample.label
    (folder / TRUTH).write_text("".join(f"{number}\n" for number in truth))
    rows = [(imagenet.CLASSES - i, wordnet_id) for i, wordnet_id in enumerate(IDS)]
    kinds = [("ILSVRC2012_ID", "O"), ("WNID", "O")]
    synsets = np.array([*rows, (1001, "n00000001")], dtype=kinds)  # meta.mat has inner nodes too
    savemat(folder / META, {"synsets": synsets})


def flat(at: Path, samples: list[Sample]) -> Path:
    (at / "val").mkdir(parents=True)
    for sample in samples:
        (at / "val" / picture(sample)).write_bytes(sample.data)
    development_kit(at / KIT, samples)
    return at


def flat_with_packed_kit(at: Path, samples: list[Sample]) -> Path:
    flat(at, samples)
    with tarfile.open(at / f"{KIT}.tar.gz", "w:gz") as archive:
        archive.add(at / KIT, KIT)
    for path in (at / KIT / "data").iterdir():
        path.unlink()
    (at / KIT / "data").rmdir()
    (at / KIT).rmdir()
    return at


def add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def validation_tar(at: Path, samples: list[Sample]) -> Path:
    at.mkdir()
    with tarfile.open(at / "ILSVRC2012_img_val.tar", "w") as archive:
        for sample in samples:
            add(archive, picture(sample), sample.data)
    development_kit(at / KIT, samples)
    return at


def tar_of_class_folders(at: Path, samples: list[Sample]) -> Path:
    at.mkdir()
    with tarfile.open(at / "imagenet-val.tar", "w") as archive:
        for sample in samples:
            add(archive, f"./imagenet-val/{IDS[sample.label]}/{picture(sample)}", sample.data)
    return at / "imagenet-val.tar"


def tar_of_the_seeds(at: Path, samples: list[Sample]) -> Path:
    at.mkdir()
    with tarfile.open(at / "imagenet-val.tar", "w") as archive:
        for sample in samples:
            name = f"imagenet-val/images/{IDS[sample.label]}/{picture(sample)}"
            add(archive, name, sample.data)
        add(archive, "imagenet-val/labels.txt", "\n".join(imagenet.class_names()).encode())
        add(archive, "imagenet-val/templates.txt", "\n".join(imagenet.templates()).encode())
    return at / "imagenet-val.tar"


def shards(at: Path, samples: list[Sample]) -> Path:
    at.mkdir()
    for number in range(2):
        with tarfile.open(at / f"imagenet1k-validation-{number:02}.tar", "w") as archive:
            for sample in samples[number::2]:
                add(archive, f"{sample.number:06}.cls", f"{sample.label}\n".encode())
                add(archive, f"{sample.number:06}.jpg", sample.data)
    return at


def parquet(at: Path, samples: list[Sample]) -> Path:
    import pyarrow
    import pyarrow.parquet

    (at / "data").mkdir(parents=True)
    info = {"info": {"features": {"label": {"names": [f"{i}, named otherwise" for i in IDS]}}}}
    for number in range(2):
        part = samples[number::2]
        table = pyarrow.table(
            {
                "image": [{"bytes": s.data, "path": picture(s)} for s in part],
                "label": [s.label for s in part],
            }
        ).replace_schema_metadata({"huggingface": json.dumps(info)})
        name = f"validation-{number:05}-of-00002.parquet"
        pyarrow.parquet.write_table(table, at / "data" / name, row_group_size=2)
    return at


LAYOUTS: dict[str, Callable[[Path, list[Sample]], Path]] = {
    make.__name__: make
    for make in (
        class_folders,
        seeds,
        tar_of_the_seeds,
        flat,
        flat_with_packed_kit,
        validation_tar,
        tar_of_class_folders,
        shards,
        parquet,
    )
}


@pytest.fixture(params=LAYOUTS)
def laid_out(request: pytest.FixtureRequest, samples: list[Sample], tmp_path: Path) -> Path:
    return LAYOUTS[request.param](tmp_path / "data", samples)
