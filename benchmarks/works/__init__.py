"""The works, one module each; every one gives its cases as they are measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.results import Case

# In the order they run: when time is up, what the project promises has been measured.
NAMES = (
    "startup",
    "tokenizer",
    "load",
    "convert",
    "images",
    "training",
    "classifier",
    "texts",
    "memory",
    "data",
    "processes",
    "steps",
    "tried",
    "parts",
)


class Work(NamedTuple):
    """One kind of work.

    Attributes:
        about: what is compared with what.
        models: open_clip's architectures; none: the work takes no model.
        cases: measures on one of them.
    """

    name: str
    title: str
    about: str
    models: tuple[str, ...]
    cases: Callable[[Bench, str], Iterator[Case]]


def find(name: str) -> Work:
    """A work by its name, one of NAMES."""
    module: ModuleType = import_module(f"benchmarks.works.{name}")
    about = " ".join((module.__doc__ or "").split())
    return Work(name, module.TITLE, about, module.MODELS, module.cases)
