"""Converting a folder, and hearing what is said meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.convert.run import Options, convert
from zoo.convert.source import find_source
from zoo.talk import Silence, Talk

OPTIONS = Options(command=("zoo", "convert", "./in"))


class Listener(Silence):
    """Remembers what was said; ``then`` happens when progress begins, ``heard`` at every word."""

    def __init__(
        self,
        then: Callable[[], object] = lambda: None,
        heard: Callable[[str], object] = lambda text: None,
    ) -> None:
        self.said: list[str] = []
        self._then = then
        self._heard = heard

    def say(self, text: str) -> None:
        self.said.append(text)
        self._heard(text)

    @contextmanager
    def progress(
        self, label: str, total: int, *, unit: str = ""
    ) -> Iterator[Callable[[int], None]]:
        done: list[int] = []
        self._then()
        yield done.append
        if label == "converting":
            total += 11_000  # the header and config.json, which nobody counts beforehand
        assert sum(done) == pytest.approx(total, abs=1000)


def converted(path: Path, out: Path | None, talk: Talk | None = None, **options: Any) -> Path:
    source = find_source(str(path))
    return convert(source, path, out, replace(OPTIONS, **options), talk or Silence())
