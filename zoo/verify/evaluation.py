"""Rung 6's measurement: which pictures, Paddle's predictions of them, and the reference's."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from zoo import cache, data
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.select import Opened
from zoo.errors import NotFoundError, UsageError
from zoo.files import expanded, sha256_file
from zoo.imagesets import bundled
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.imageset import ImageSet
from zoo.imagesets.recognise import open_data
from zoo.inputs.tokenizer import Tokenizer
from zoo.locks import locked
from zoo.spec import CLIPSpec
from zoo.talk import Talk
from zoo.verify.journal import journal_folder, read_rows, read_timing
from zoo.verify.process import run_child
from zoo.verify.reference_folder import make_folder
from zoo.verify.request import EncodeRequest, EvaluateRequest, Precision
from zoo.verify.retrieval import TEXTS, Features
from zoo.verify.zeroshot import Row

BATCH = 32
WORKERS = 4
DATA = "ZOO_DATA"  # the folder with everybody's data sets
IMAGENET = "imagenet"  # its name there
BUNDLED_WEIGHTS = "tiny/open_clip_model.safetensors"


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the user asks of rung 6.

    ``data`` is a name under $ZOO_DATA or a path; None: the data set that belongs to the model.
    """

    data: str | None = None
    against_open_clip: bool = False
    allow_unreadable: bool = False
    precision: Precision = "float32"


@dataclass(frozen=True, kw_only=True)
class Material:
    """A data set at hand; ``data`` is how another process opens it."""

    data: str
    images: ImageSet | CaptionSet
    wish: Wish


def find_material(wish: Wish, record: Provenance | None) -> Material | str:
    """The data set to measure on; a text says why there is none.

    Raises:
        NotFoundError: the user named one that is not there.
        DatasetError: it is not what it claims to be.
        UsageError: open_clip is asked for what it is not run on.
        ZooError: as ``open_data`` has it.
    """
    if wish.data is not None:
        found = _named(wish.data)
    elif record is not None and is_bundled(record):
        found = bundled.NAME
    else:
        root = os.environ.get(DATA)
        if not root:
            return f"{DATA} is not set, and no --data is given; it names the folder of data sets"
        found = str(expanded(root) / IMAGENET)
        if not Path(found).exists():
            return f"there is no data set at {found}; put ImageNet's there, or name it with --data"
    images = open_data(found)
    if isinstance(images, CaptionSet) and wish.against_open_clip:
        raise UsageError("--against is for labelled pictures, and these have captions", where=found)
    return Material(data=found, images=images, wish=wish)


def _named(text: str) -> str:
    """A path as it is, else a name under $ZOO_DATA."""
    root = os.environ.get(DATA)
    if text == bundled.NAME:
        return text
    if not text.startswith((".", "/", "~")) and root:
        under = expanded(root) / text
        if under.exists():
            return str(under)
    if not (path := expanded(text)).exists():
        beside = f" and under {DATA}={root}" if root else f"; {DATA} is not set"
        raise NotFoundError(
            f"there is no such data set here{beside}",
            where=text,
            remedy=f"Give its path to --data, or set {DATA} to the folder that it is in.",
        )
    return str(path.resolve())


def is_bundled(record: Provenance) -> bool:
    """Whether these are the very weights that come with zoo."""
    if record.id != bundled.NAME or record.dtype != "keep":
        return False
    return record.source.files[-1].sha256 == sha256_file(data.path(BUNDLED_WEIGHTS))


def key(
    record: Provenance,
    spec: CLIPSpec,
    prompts: str | None,
    place: str,
    precision: str,
    batch: int,
) -> dict[str, Any]:
    """Everything that a prediction depends on, but the data set; ``prompts`` is their digest."""
    return {
        "tensors": record.tensors_digest,
        "spec": msgspec.to_builtins(spec),
        "prompts": prompts,
        "tokenizer": Tokenizer().digest,
        "precision": precision,
        "batch size": batch,
        "data": place,
    }


@dataclass(frozen=True, kw_only=True)
class Predicted:
    """Paddle's answer: every picture's row, in order, and where they are kept."""

    rows: list[Row]
    folder: Path
    timing: dict[str, Any]
    environment: dict[str, Any]


def predict(
    folder: Path, record: Provenance, spec: CLIPSpec, of: Material, talk: Talk
) -> Predicted:
    """Paddle's predictions, made in a process of its own.

    Raises:
        NotFoundError: Paddle is not installed.
        DatasetError: the data set has changed since a run of this that was killed.
        ProcessError: it failed.
    """
    images = of.images
    assert isinstance(images, ImageSet)
    precision = of.wish.precision
    made_of = key(record, spec, images.prompts_digest, of.data, precision, BATCH)
    out = journal_folder(cache.ZERO_SHOT, record.id, made_of)
    request = EvaluateRequest(
        folder=str(folder.resolve()),
        data=of.data,
        out=str(out),
        batch_size=BATCH,
        workers=workers_for(len(images.pictures)),
        precision=precision,
    )
    asked = msgspec.to_builtins(request)
    with cache.in_use(cache.ZERO_SHOT, talk.say), locked(out, talk.say):
        said = run_child("zoo.verify.predict", asked, "zero-shot: Paddle", talk)
        return Predicted(
            rows=read_rows(out, Row), folder=out, timing=read_timing(out), environment=said
        )


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Paddle's features of every picture, in order, and of the captions, float32 [m, E]; and how
    they came about."""

    rows: list[Features]
    texts: NDArray[np.float32]
    timing: dict[str, Any]
    environment: dict[str, Any]


def encode(folder: Path, record: Provenance, spec: CLIPSpec, of: Material, talk: Talk) -> Encoded:
    """Paddle's features of pictures and captions, made in a process of its own.

    Raises:
        NotFoundError: Paddle is not installed.
        DatasetError: the data set has changed since a run of this that was killed.
        ProcessError: it failed.
    """
    precision = of.wish.precision
    made_of = key(record, spec, None, of.data, precision, BATCH)
    out = journal_folder(cache.RETRIEVAL, record.id, made_of)
    request = EncodeRequest(
        folder=str(folder.resolve()),
        data=of.data,
        out=str(out),
        batch_size=BATCH,
        workers=workers_for(len(of.images.pictures)),
        precision=precision,
    )
    asked = msgspec.to_builtins(request)
    with cache.in_use(cache.RETRIEVAL, talk.say), locked(out, talk.say):
        said = run_child("zoo.verify.encode", asked, "retrieval: Paddle", talk)
        return Encoded(
            rows=read_rows(out, Features),
            texts=np.load(out / TEXTS, allow_pickle=False),
            timing=read_timing(out),
            environment=said,
        )


def workers_for(pictures: int) -> int:
    """Processes that decode ahead: starting them takes longer than a few batches."""
    return min(WORKERS, os.cpu_count() or 1) if pictures > 10 * BATCH else 0


def open_clips_scores(
    checkpoint: Checkpoint,
    spec: CLIPSpec,
    record: Provenance,
    source: Opened | None,
    of: Material,
    leave_out: list[int],
    work: Path,
    talk: Talk,
) -> tuple[NDArray[np.float32], dict[str, Any]]:
    """open_clip's scores of the same pictures, [readable, classes], and its environment.

    Raises:
        NotFoundError: open_clip is not installed.
        ConfigError: it has no such model.
        ProcessError: it failed.
    """
    assert isinstance(of.images, ImageSet)
    folder, out = work / "open_clip", work / "open_clip-scores"
    make_folder(folder, "open_clip", checkpoint, spec, source)
    request = {
        "task": "predict",
        "folder": str(folder),
        "dtype": record.dtype,
        "out": str(out),
        "data": of.data,
        "leave_out": leave_out,
        "classes": list(of.images.classes),
        "templates": list(of.images.templates),
    }
    run_child("zoo.verify.reference", request, "zero-shot: open_clip", talk)
    shutil.rmtree(folder)
    environment = msgspec.json.decode((out / "environment.json").read_bytes())
    return np.load(out / "scores.npy"), environment
