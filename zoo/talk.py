"""How long work tells what it does, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol


def shown_size(nbytes: float) -> str:
    """Bytes in the unit that fits: ``7.2 MB``. Units are decimal, as those of disks."""
    for unit in ("B", "kB", "MB"):
        if nbytes < 999.95:
            return f"{nbytes:.{0 if unit == 'B' else 1}f} {unit}"
        nbytes /= 1000
    return f"{nbytes:,.2f} GB"


class Advance(Protocol):
    """Called with how much has been done since the last call, and what to say of it."""

    def __call__(self, amount: int, /, note: str = "") -> object: ...


class Talk(Protocol):
    """The command line's Output is one."""

    def say(self, text: str) -> None: ...

    def progress(
        self, label: str, total: int, *, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        """Progress towards ``total``; it may be advanced from any thread."""
        ...


class Silence:
    """Nobody listens."""

    def say(self, text: str) -> None:
        pass

    def progress(
        self, label: str, total: int, *, unit: str = ""
    ) -> AbstractContextManager[Advance]:
        return nullcontext(lambda amount, note="": None)


class Within:
    """A Talk for a part of some work: its progress is told in notes on that of the whole.

    Args:
        say: hears what is said.
        note: hears how far the part is.
    """

    def __init__(self, say: Callable[[str], object], note: Callable[[str], object]) -> None:
        self._say, self._note = say, note

    def say(self, text: str) -> None:
        self._say(text)

    @contextmanager
    def progress(self, label: str, total: int, *, unit: str = "") -> Iterator[Advance]:
        done = 0

        def advance(amount: int, /, note: str = "") -> None:
            nonlocal done
            done += amount
            share = f"{label} {100 * done // max(total, 1)} %"
            self._note(f"{share}, {note}" if note else share)

        self._note(label)
        yield advance
