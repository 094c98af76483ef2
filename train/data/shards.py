"""webdataset shards as open_clip trains on them: NAME.jpg and NAME.txt side by side in a tar.

The library groups members to samples, expands patterns and resamples. Its own reader stays out of
use: it takes any member into memory, whatever its size, and it gives what looks like an address to
a shell.
"""

from __future__ import annotations

import re
import sys
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from PIL import Image

from train.data.records import Draw, without_overlap
from train.data.tars import check_end
from zoo.errors import (
    DatasetError,
    FormatError,
    NotFoundError,
    PathError,
    ZooError,
    as_zoo_error,
    missing_library,
)
from zoo.imagesets.tree import MAX_BYTES
from zoo.inputs.images import open_image

PICTURES = ("jpg", "png", "jpeg", "webp")  # the order in which open_clip looks for one
CAPTION = "txt"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


@dataclass(frozen=True, kw_only=True)
class Shards:
    """Tars; with ``resampled``, every reader draws its own with replacement, as open_clip does."""

    paths: list[Path]
    resampled: bool

    def records(self, path: Path) -> Iterator[dict[str, Any] | ZooError]:
        """The samples of a shard: the bytes of their members by extension, and ``__key__``.

        In place of bytes there is the error of a member that is too large, and at the end those
        of members that were there twice.

        Raises:
            FormatError: the tar breaks off, or is compressed.
            DiskError, AccessError: as the system says.
        """
        twice: list[ZooError] = []

        def second_of_a_name(error: Exception) -> bool:
            twice.append(FormatError(str(error.args[0])))
            return True  # go on

        try:
            with path.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
                yield from _library().tariterators.group_by_keys(
                    _members(archive, path), handler=second_of_a_name
                )
                yield from twice
                check_end(archive, file, path)
        except (tarfile.TarError, EOFError) as error:
            raise FormatError(
                f"this tar can't be read on: {error}",
                where=path,
                remedy="A compressed tar has to be decompressed first.",
            ) from None
        except OSError as error:
            raise as_zoo_error(error, path) from error

    def decode(self, record: dict[str, Any] | ZooError) -> tuple[str, Image.Image]:
        """A sample's caption and picture.

        Raises:
            FormatError: it lacks one of the two, or the caption is not UTF-8.
            ZooError: what decoding the picture raises.
        """
        if isinstance(record, ZooError):
            raise record
        name = record["__key__"]
        picture = next((kind for kind in PICTURES if kind in record), None)
        if picture is None or CAPTION not in record:
            raise FormatError(f"{name!r} has no {CAPTION if picture else 'picture'}")
        for kind in (CAPTION, picture):
            if isinstance(record[kind], ZooError):
                raise record[kind]
        try:
            caption = record[CAPTION].decode()
        except UnicodeDecodeError:
            raise FormatError(f"the caption of {name!r} is not UTF-8") from None
        return caption, open_image(f"{name}.{picture}", record[picture])

    def passes(self, seed: Sequence[int], reader: int, readers: int) -> Draw:
        files = len(self.paths)
        if not self.resampled:
            return without_overlap(files, seed, reader, readers)
        own = int(np.random.SeedSequence([*seed, reader]).generate_state(1)[0])
        drawn = _library().ResampledShards(
            list(map(str, range(files))), seed=own, worker_seed=lambda: 0, deterministic=True
        )
        numbers = (int(entry["url"]) for entry in drawn)
        return iter(lambda: list(islice(numbers, files)), [])


def is_shards(text: str) -> bool:
    """Whether a ``--task_name`` names webdataset shards, or an address of some."""
    return any(_ADDRESS.match(part) or part.endswith(".tar") for part in text.split("::"))


def read_shards(text: str, *, resampled: bool) -> Shards:
    """Shards by a pattern: ``data/{0000..0009}.tar``, several joined by ``::``.

    Raises:
        PathError: it is an address; only files are read.
        DatasetError: the pattern is broken.
        NotFoundError: a shard, or the webdataset library, is not there.
    """
    if address := next((part for part in text.split("::") if _ADDRESS.match(part)), None):
        raise PathError(
            "only shards that are files are read; nothing is given to a shell",
            where=address,
            remedy="Download them first, or mount them.",
        )
    try:
        paths = [Path(name) for name in _library().shardlists.expand_urls(text)]
    except ValueError as error:  # braceexpand's
        raise DatasetError(f"a broken pattern: {error}", where=text) from None
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise NotFoundError(
            f"{len(missing)} of {len(paths)} shards are not there, the first", where=missing[0]
        )
    return Shards(paths=paths, resampled=resampled)


@cache
def _library() -> ModuleType:
    """webdataset. It imports torch wherever there is one, and does without where there is none."""
    hidden = "torch" not in sys.modules
    if hidden:
        sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        return import_module("webdataset")
    except ModuleNotFoundError as error:
        raise missing_library("webdataset", "train", "reading shards") from error
    finally:
        if hidden:
            del sys.modules["torch"]


def _members(archive: tarfile.TarFile, path: Path) -> Iterator[dict[str, Any]]:
    """The files that samples consist of; names are only looked at, never opened."""
    for member in archive:
        archive.members.clear()  # type: ignore[attr-defined]  # of many thousands, which it would keep
        kind = member.name.rpartition(".")[2].lower()
        if not member.isreg() or kind not in (*PICTURES, CAPTION):
            continue
        data: bytes | ZooError
        if member.size > MAX_BYTES:
            data = FormatError(f"{member.name!r}: {member.size:,} bytes are too many")
        else:
            file = archive.extractfile(member)
            assert file is not None  # since the member is a regular file
            data = file.read()
        yield {"fname": member.name, "data": data, "__url__": str(path)}
