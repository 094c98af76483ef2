"""What is made of one picture after another, kept batch by batch, so that a killed run goes on.

A folder per evaluation, named by everything that a row depends on::

    journal.json         what the evaluation is of
    rank-N.jsonl         the rows that process N has made, while it runs
    ROWS.jsonl           all rows in order, once it has ended; named by their kind
    timing.json          how long the last part of it took, and what computed it

Batches are cut by index and never shared out otherwise, so that one process and several, a run in
one go and a resumed one, put the same pictures beside each other.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from zoo import cache
from zoo.errors import DatasetError
from zoo.files import canonical_json, pretty_json, write_atomic
from zoo.imagesets.ahead import digest_of
from zoo.imagesets.imageset import Picture

JOURNAL = "journal.json"
TIMING = "timing.json"
PARTS = "rank-*.jsonl"


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one picture; ``place`` is its index in the set.

    A kind of its own says in ``FILE`` what all its rows are called. An unreadable picture has a
    problem, and nothing was made of it.
    """

    FILE: ClassVar[str]
    place: int
    image: str
    sha256: str | None
    problem: str | None = None

    def is_of(self, picture: Picture) -> bool:
        """Whether it can be what was made of this picture, its bytes aside."""
        return self.image == picture.name


R = TypeVar("R", bound=Kept)


class Pictured(Protocol):
    """A data set as far as a journal is concerned."""

    @property
    def pictures(self) -> tuple[Picture, ...]: ...

    @property
    def listing_digest(self) -> str:
        """Over all of it that can be told without reading pictures."""


def journal_folder(kind: str, model: str, key: Mapping[str, object]) -> Path:
    """Where an evaluation of this kind and key lies in the cache."""
    digest = hashlib.sha256(canonical_json(dict(key))).hexdigest()
    return cache.home() / kind / model / digest[:16]


class Journal(Generic[R]):
    """One evaluation's folder.

    Args:
        folder: made where it is not there.
        images: what is evaluated.
        batch_size: pictures in a batch.
        kind: of its rows.

    Raises:
        DatasetError: the data set is not the one that the unfinished evaluation began with.
        DiskError, AccessError: as the system says.
    """

    def __init__(self, folder: Path, images: Pictured, batch_size: int, kind: type[R]) -> None:
        self.folder = folder
        self._kind = kind
        self._images = images
        self._batch_size = batch_size
        folder.mkdir(parents=True, exist_ok=True)
        about = pretty_json({"listing": images.listing_digest, "batch_size": batch_size})
        path = folder / JOURNAL
        if path.is_file() and path.read_bytes() != about:
            raise self._changed("its list of pictures is another one")
        self.kept = self._read()
        write_atomic(path, about)

    def batches(self) -> dict[int, tuple[Picture, ...]]:
        """The batches that are still to do, by their number."""
        pictures, size = self._images.pictures, self._batch_size
        done = {row.place // size for row in self.kept}
        return {
            start // size: pictures[start : start + size]
            for start in range(0, len(pictures), size)
            if start // size not in done
        }

    def add(self, rows: Sequence[R], rank: int) -> None:
        """Keeps one batch, whole."""
        with (self.folder / f"rank-{rank}.jsonl").open("ab") as file:
            file.write(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))

    def finish(self, rows: Iterable[R], timing: Mapping[str, object]) -> None:
        """Writes all rows in order, and ends the evaluation."""
        ordered = sorted(rows, key=lambda row: row.place)
        lines = b"".join(msgspec.json.encode(row) + b"\n" for row in ordered)
        write_atomic(self.folder / self._kind.FILE, lines)
        write_atomic(self.folder / TIMING, pretty_json(dict(timing)))
        for part in (*self.folder.glob(PARTS), self.folder / JOURNAL):
            part.unlink(missing_ok=True)

    def _read(self) -> list[R]:
        """The rows of whole batches; what a kill has torn is left out and made again, and so is
        what can't be of these pictures."""
        batches: defaultdict[int, dict[int, R]] = defaultdict(dict)
        count, size = len(self._images.pictures), self._batch_size
        for part in sorted(self.folder.glob(PARTS)):
            for row in _rows(part, self._kind, torn=True):
                if 0 <= row.place < count and row.is_of(self._images.pictures[row.place]):
                    batches[row.place // size][row.place] = row
        whole = [
            row
            for number, rows in batches.items()
            if len(rows) == min(size, count - number * size)
            for row in rows.values()
        ]
        for row in whole:
            if digest_of(self._images.pictures[row.place]) != row.sha256:
                raise self._changed(f"{row.image} is another picture")
        return whole

    def _changed(self, how: str) -> DatasetError:
        return DatasetError(
            f"the data set has changed since this evaluation began: {how}",
            where=self.folder,
            remedy="Restore it to go on, or remove that folder to begin anew.",
        )


def read_timing(folder: Path) -> dict[str, Any]:
    """How long the last part of a finished evaluation took, and what computed it."""
    return msgspec.json.decode((folder / TIMING).read_bytes(), type=dict[str, Any])


def read_rows(folder: Path, kind: type[R]) -> list[R]:
    """The rows of a finished evaluation, in order."""
    return _rows(folder / kind.FILE, kind, torn=False)


def _rows(path: Path, kind: type[R], *, torn: bool) -> list[R]:
    """The rows of a file. One that is ``torn`` lacks the end of its last line after a kill, and may
    hold anything in the last ones after a power failure."""
    rows = []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            rows.append(msgspec.json.decode(line, type=kind))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if not torn:
                raise
    return rows
