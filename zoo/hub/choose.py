"""Which files of a repository are needed: one family's configuration and its preferred weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.sharded import shards
from zoo.convert.select import INDEX, WEIGHTS
from zoo.convert.stated import CONFIGS
from zoo.errors import UsageError
from zoo.spec import hf_preprocessor

FIRST = next(iter(WEIGHTS))  # the family that is preferred
BESIDE = {"hf": hf_preprocessor.NAMES}  # what a family may have beside its configuration


class Missing(Exception):
    """What a choice needs is not among the names; what that means, the caller knows."""

    def __init__(self, names: str) -> None:
        super().__init__(names)
        self.names = names


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One checkpoint of a repository; ``others`` are the families it also holds."""

    family: str
    configs: tuple[str, ...]
    weights: str  # a weight file, or the index of shards
    others: tuple[str, ...]

    @property
    def sharded(self) -> bool:
        return self.weights.endswith(INDEX)


def choose(names: Collection[str], family: str | None) -> Choice:
    """The checkpoint to take from a repository with these files.

    Args:
        names: the repository's files.
        family: the family to take; None: the first that is there with configuration and weights.

    Raises:
        Missing: there is none.
        UsageError: the hub has no files of this family.
    """
    if family is not None and family not in WEIGHTS:
        raise UsageError(f"--from {family} is not for hub repositories")
    there = {name: weights for name in WEIGHTS if (weights := _weights(names, name))}
    wanted = family or next(iter(there), None)
    if wanted not in there:
        lacking = [wanted] if wanted else WEIGHTS
        raise Missing("; or ".join(map(_words, lacking)))
    needed = CONFIGS[wanted][0]
    beside = (name for name in BESIDE.get(wanted, ()) if name in names)
    return Choice(
        family=wanted,
        configs=(needed, *beside),
        weights=there[wanted],
        others=tuple(name for name in there if name != wanted),
    )


def has_beside(names: Collection[str], family: str | None) -> bool:
    """Whether these are all that a family may have beside its configuration; where another program
    brought none of it, only the hub knows whether there is any."""
    beside = BESIDE.get(family or "", ())
    return not beside or any(name in names for name in beside)


def shard_names(index: Path) -> list[str]:
    """The files that an index says the tensors are in.

    Raises:
        FormatError: it is no index.
        PathError: it names a file elsewhere.
    """
    with MappedFile(index) as file:
        return [path.name for path in shards(file)]


def _words(family: str) -> str:
    return f"{CONFIGS[family][0]} and one of {', '.join(WEIGHTS[family])}"


def _weights(names: Collection[str], family: str) -> str | None:
    """The preferred weights of a family; None where these or its configuration are not there."""
    if CONFIGS[family][0] not in names:
        return None
    both = (name for weight in WEIGHTS[family] for name in (weight, weight + INDEX))
    return next((name for name in both if name in names), None)
