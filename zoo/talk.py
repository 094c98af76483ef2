"""How long work tells what it does, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Talk(Protocol):
    """The command line's Output is one."""

    def say(self, text: str) -> None: ...

    def progress(
        self, label: str, total: int, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[int], None]]:
        """Progress towards ``total``; the callable is told how much was done since its last call,
        from any thread."""
        ...


class Silence:
    """Nobody listens."""

    def say(self, text: str) -> None:
        pass

    def progress(
        self, label: str, total: int, *, unit: str = ""
    ) -> AbstractContextManager[Callable[[int], None]]:
        return nullcontext(lambda amount: None)
