"""A bad input as data: what it is, what zoo is told to do with it, and what has to happen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

SAFE = "\n"  # the one control character that a message may have


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of docs/bad-inputs.md.

    Attributes:
        input: what is given, in words.
        code: the exit code.
        name: the error's name; empty where the input is accepted.
        says: words that the message has to have, in this order.
        note: what happens, where no message tells.
    """

    input: str
    code: int
    name: str = ""
    says: tuple[str, ...] = ()
    note: str = ""

    def check(self, code: int, stderr: str) -> None:
        """Holds what a command said against the row: one message, and no traceback."""
        assert code == self.code, stderr
        assert "Traceback" not in stderr
        assert all(c.isprintable() or c in SAFE for c in stderr)
        messages = [line for line in stderr.splitlines() if line.startswith("zoo: ")]
        if self.name:
            assert len(messages) == 1 and messages[0].startswith(f"zoo: {self.name}: "), stderr
        else:
            assert not messages
        rest = stderr
        for words in self.says:
            assert words in rest, f"{words!r} is not in:\n{rest}"
            rest = rest.partition(words)[2]


@dataclass(frozen=True, kw_only=True)
class Case(Row):
    """A row that one command shows.

    Attributes:
        make: puts the input into an empty folder.
        command: the words after ``zoo``; ``{at}`` stands for the folder.
        environment: variables that the command sees.
        leaves: the one file that it may leave all the same.
    """

    make: Callable[[Path], object]
    command: tuple[str, ...] = ("convert", "{at}/in", "--out", "{at}/out", "--force")
    environment: Mapping[str, str] = field(default_factory=dict)
    leaves: str | None = None

    def words(self, at: Path) -> list[str]:
        return [word.replace("{at}", str(at)) for word in self.command]
