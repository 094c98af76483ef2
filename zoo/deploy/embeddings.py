"""Embeddings of pictures and texts, in the file layout of clip-retrieval.

::

    img_emb/img_emb_0.npy           float32 [n, E], of length 1
    text_emb/text_emb_0.npy         float32 [m, E], of length 1
    metadata/metadata_0.parquet     row i: image_path and caption of the i-th of each
    embed.json                      which model, what computed it, what could not be read

(https://github.com/rom1504/clip-retrieval, clip_inference/writer.py.) Pictures and texts are two
lists: the shorter column is filled with nulls.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from zoo import cache
from zoo.convert import provenance
from zoo.deploy.folder import CONFIG_NAME
from zoo.deploy.request import EmbedRequest
from zoo.errors import DatasetError, missing_library
from zoo.files import check_target, new_folder, pretty_json
from zoo.imagesets.collection import Collection, open_collection
from zoo.locks import locked
from zoo.spec import native
from zoo.talk import Talk
from zoo.verify.evaluation import BATCH, key, workers_for
from zoo.verify.journal import journal_folder, read_rows, read_timing
from zoo.verify.process import run_child
from zoo.verify.request import Precision
from zoo.verify.retrieval import TEXTS, Features, stack

RECORD_NAME = "embed.json"


@dataclass(frozen=True, kw_only=True)
class Embedded:
    """What was made; ``unreadable`` are pictures with their problems, which are left out."""

    folder: Path
    images: int
    texts: int
    unreadable: tuple[tuple[str, str], ...]
    record: dict[str, Any]


def embed(
    folder: Path,
    images: Path | None,
    texts: Path | None,
    out: Path,
    *,
    precision: Precision,
    force: bool,
    talk: Talk,
) -> Embedded:
    """Embeds pictures and texts; goes on where an earlier run of the same was killed.

    Args:
        folder: a converted checkpoint, or programs of one.
        images: as ``open_collection`` has it; None: no pictures.
        texts: likewise.
        out: the folder that will appear, whole, or not at all.
        precision: what the image tower computes in.
        force: replace what is at ``out``.
        talk: progress.

    Raises:
        NotFoundError: a path leads nowhere, or Paddle or pyarrow is not installed.
        DatasetError: there is no picture, or none can be read; the pictures have changed since the
            killed run.
        ConfigError, UsageError: the model lacks the tower; the device does not compute in the
            precision.
        PathError, DiskError, AccessError: the output can't be written there.
    """
    _pyarrow()
    check_target(out, replace=force, mark=RECORD_NAME)
    collection = open_collection(images, texts)
    record = provenance.read(folder)
    spec = native.read(folder / CONFIG_NAME)
    place = "\n".join(str(path and path.resolve()) for path in (images, texts))
    work = journal_folder(cache.EMBED, record.id, key(record, spec, None, place, precision, BATCH))
    request = EmbedRequest(
        folder=str(folder.resolve()),
        images=None if images is None else str(images.resolve()),
        texts=None if texts is None else str(texts.resolve()),
        out=str(work),
        batch_size=BATCH,
        workers=workers_for(len(collection.pictures)),
        precision=precision,
    )
    with ExitStack() as stack:
        stack.enter_context(cache.reading(folder, talk.say))
        stack.enter_context(locked(out, talk.say))
        stack.enter_context(cache.in_use(cache.EMBED, talk.say))
        stack.enter_context(locked(work, talk.say))
        run_child("zoo.deploy.embed", msgspec.to_builtins(request), "embedding", talk)
        partial = stack.enter_context(new_folder(out, replace=force, mark=RECORD_NAME))
        made = _write(partial, out, work, collection, record, precision)
        shutil.rmtree(work)
    return made


def _write(
    partial: Path,
    out: Path,
    work: Path,
    collection: Collection,
    record: provenance.Provenance,
    precision: str,
) -> Embedded:
    rows = read_rows(work, Features)
    readable = [row for row in rows if row.problem is None]
    unreadable = tuple((row.image, row.problem) for row in rows if row.problem is not None)
    if rows and not readable:
        name, problem = unreadable[0]
        raise DatasetError(f"no picture can be read: {problem}", where=name)
    columns: dict[str, Sequence[str]] = {}
    if rows:
        _save(partial / "img_emb" / "img_emb_0.npy", stack(readable))
        columns["image_path"] = [row.image for row in readable]
    if collection.captions:
        texts = np.load(work / TEXTS, allow_pickle=False)
        _save(partial / "text_emb" / "text_emb_0.npy", texts)
        columns["caption"] = collection.captions
    _save_table(partial / "metadata" / "metadata_0.parquet", columns)
    timing = read_timing(work)
    told = {
        "schema_version": 1,
        "model": record.id,
        "tensors_digest": record.tensors_digest,
        "precision": precision,
        "path": timing["path"],
        "cost": timing["cost"],
        "images": len(readable),
        "texts": len(collection.captions),
        "unreadable": [list(pair) for pair in unreadable],
    }
    (partial / RECORD_NAME).write_bytes(pretty_json(told))
    return Embedded(
        folder=out,
        images=len(readable),
        texts=len(collection.captions),
        unreadable=unreadable,
        record=told,
    )


def _save(path: Path, array: np.ndarray[Any, Any]) -> None:
    path.parent.mkdir()
    np.save(path, array)


def _save_table(path: Path, columns: dict[str, Sequence[str]]) -> None:
    pyarrow = _pyarrow()
    longest = max(map(len, columns.values()))
    filled = {
        name: [*values, *[None] * (longest - len(values))] for name, values in columns.items()
    }
    text = {name: pyarrow.array(values, pyarrow.string()) for name, values in filled.items()}
    path.parent.mkdir()
    pyarrow.parquet.write_table(pyarrow.table(text), path)


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise missing_library("pyarrow", "datasets", "writing metadata as parquet") from error
    return pyarrow
