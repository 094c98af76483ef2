"""Where zoo keeps what it made: ``$ZOO_HOME``, by default ``~/.cache/zoo``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.files import expanded
from zoo.locks import locked

MODELS = "models"  # converted
PROGRAMS = "programs"  # towers for Paddle Inference, a folder for each checkpoint
PUBLISHED = "published"  # downloads that are not in the hub's own cache
CLASSIFIERS, CAPTIONS = "classifiers", "captions"  # features of texts
ZERO_SHOT, RETRIEVAL, EMBED = "zero-shot", "retrieval", "embed"  # journals (zoo.verify.journal)
KINDS = (PUBLISHED, CLASSIFIERS, CAPTIONS, ZERO_SHOT, RETRIEVAL, EMBED)  # what runs keep


def home() -> Path:
    """The cache's folder; it need not exist."""
    return expanded(os.environ.get("ZOO_HOME") or "~/.cache/zoo")


def model_folder(model: str, source_digest: str, dtype: str) -> Path:
    """Where a converted model lies: it can't be mistaken for one of other weights or type."""
    return home() / MODELS / model / f"{source_digest[:12]}-{dtype}"


def converted(model: str) -> list[Path]:
    """The converted checkpoints of a model, newest first."""
    folders = (home() / MODELS / model).glob("*/provenance.json")
    ordered = sorted(folders, key=lambda path: path.stat().st_mtime_ns, reverse=True)
    return [path.parent for path in ordered if not path.parent.name.startswith(".")]


def all_converted() -> list[Path]:
    """Every converted checkpoint in the cache, in the order of their paths."""
    found = sorted((home() / MODELS).glob("**/provenance.json"))
    return [path.parent for path in found if not path.parent.name.startswith(".")]


def models() -> list[str]:
    """The ids of which there are converted checkpoints."""
    folders = (folder.parent.relative_to(home() / MODELS) for folder in all_converted())
    return sorted({folder.as_posix() for folder in folders})


def all_programs() -> list[Path]:
    """Every folder of programs in the cache, in the order of their paths."""
    found = sorted((home() / PROGRAMS).glob("**/inference.json"))
    return [path.parent for path in found if not path.parent.name.startswith(".")]


@contextmanager
def in_use(kind: str, say: Callable[[str], object]) -> Iterator[None]:
    """Within, a run keeps or reads what is of this kind, beside other runs: `zoo cache rm` takes
    nothing of it away.

    Raises:
        LockError, DiskError, AccessError: as the system says.
    """
    with locked(home() / kind, say, shared=True):
        yield


@contextmanager
def reading(folder: Path, say: Callable[[str], object]) -> Iterator[None]:
    """Within, a run reads a checkpoint or programs, beside other runs: `zoo cache rm` leaves the
    folder where it is, and who would write it waits. What is not the cache's gets no lock, nor what
    lies where this user can remove nothing.

    Raises:
        LockError, DiskError, AccessError: as the system says.
    """
    place = folder.resolve()
    kinds = ((home() / kind).resolve() for kind in (MODELS, PROGRAMS))
    if any(map(place.is_relative_to, kinds)) and os.access(place.parent, os.W_OK):
        with locked(place, say, shared=True):
            yield
    else:
        yield


def kept_by_runs() -> list[Path]:
    """The folders of the kinds that are there."""
    return [home() / kind for kind in KINDS if (home() / kind).is_dir()]
