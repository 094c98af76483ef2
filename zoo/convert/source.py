"""What a user names, found: SOURCE (docs/commands.md) becomes files and an identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from zoo import cache
from zoo.data import BUNDLED
from zoo.data import path as data_path
from zoo.errors import (
    NameInvalidError,
    NetworkError,
    NotFoundError,
    OfflineError,
    UsageError,
)
from zoo.files import expanded, missing
from zoo.manifest import Manifest, registry

HUB, LOCAL = "hf-hub:", "local-dir:"
_WORD = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_ID = re.compile(rf"{_WORD}(/{_WORD})?")


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a checkpoint lies and who it is.

    ``path`` is a file or folder of this disk, ``repo`` a hub id. Neither is set of a model of the
    user's own that only the cache has, by its id. ``manifest`` is the zoo's entry when the source
    is one.
    """

    id: str
    path: Path | None
    repo: str | None
    commit: str | None = None  # the repository's state, once it is resolved
    manifest: Manifest | None

    @property
    def is_bundled(self) -> bool:
        return self.path == data_path("tiny")


def find_source(text: str, *, name: str | None = None) -> Source:
    """Finds what SOURCE means; no file is opened.

    Args:
        text: an explicit scheme; a path that starts with ``.``, ``/`` or ``~``; a zoo id or an
            alias; the id of a model that was converted into the cache; a unique prefix of a zoo id
            or alias; a hub id. In this order.
        name: what the model is to be called (``--id``); a zoo id makes a local source that entry.

    Raises:
        NotFoundError: nothing of this name.
        UsageError: several entries begin like this.
        NameInvalidError: no model can be called this.
    """
    zoo = registry()
    entry = None if name is None else zoo.names.get(check_id(name))
    path = _local(text)
    if path is None and text == BUNDLED:
        path, name = data_path("tiny"), name or BUNDLED
    if path is not None:
        if not path.exists():
            raise missing(path)
        given = entry.id if entry else name
        return Source(id=given or own_name(path), path=path, repo=None, manifest=entry)
    with paths_told(text):
        word = check_id(text.removeprefix(HUB))
        found, repo = _named(word, on_hub=text.startswith(HUB))
    entry = entry or found
    return Source(id=entry.id if entry else name or word, path=None, repo=repo, manifest=entry)


def _named(word: str, *, on_hub: bool) -> tuple[Manifest | None, str | None]:
    """The zoo's entry of a name, and its repository; see ``Source`` and ``find_source``."""
    zoo = registry()
    found = zoo.names.get(word)
    if found is None and not on_hub and cache.converted(word):  # exact beats prefix
        return None, word if "/" in word else None
    if found is None and not on_hub:
        found = zoo.match(word)
    if found is not None and not on_hub:
        return found, found.source.hub
    if "/" not in word:
        zoo.find(word)  # no hub id: raises, and suggests the nearest
    return found, word


@contextmanager
def paths_told(text: str) -> Iterator[None]:
    """Where nothing is found under a name, and a file or folder here has it, which SOURCE does not
    mean by it, the error says how that one is written."""
    try:
        yield
    except (NetworkError, NotFoundError, OfflineError, UsageError) as error:
        hint = f"What lies here under this name is ./{text}"
        with suppress(OSError):  # no file can have such a name
            if (
                not text.startswith((HUB, LOCAL, ".", "/", "~"))
                and Path(text).exists()
                and hint not in str(error.remedy)
            ):
                error.remedy = f"{hint}\n{error.remedy}" if error.remedy else hint
        raise


def check_id(name: str) -> str:
    """The name, when a model can be called so: one or two words, no dots in front, no ``--``.

    Raises:
        NameInvalidError: it can't.
    """
    if not _ID.fullmatch(name) or ".." in name or "--" in name:
        raise NameInvalidError(
            f"{name!r} can't be the name of a model",
            remedy="A name is NAME or ORG/NAME: letters, digits, '.', '_' and '-'. A local folder "
            "is written ./FOLDER.",
        )
    return name


def _local(text: str) -> Path | None:
    if not text.startswith((LOCAL, ".", "/", "~")):
        return None
    return expanded(text.removeprefix(LOCAL))


def own_name(path: Path) -> str:
    """What a local checkpoint without a given name is called: as its folder or file, in the letters
    that a name can have."""
    full = path.resolve()
    words = re.findall(r"[A-Za-z0-9._-]+", full.name if full.is_dir() else full.stem)
    name = re.sub(r"[.-]{2,}", "-", "-".join(words)).strip("._-")
    return name[:96] or "model"
