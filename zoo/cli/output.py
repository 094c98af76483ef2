"""What people see: data on stdout, talk on stderr, tables and progress through rich.

rich keeps to NO_COLOR and to what the terminal can do; progress is drawn only where stderr is a
terminal, and is a plain line now and then elsewhere.
"""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.talk import Advance

if TYPE_CHECKING:
    from rich.table import Table

PLAIN_INTERVAL = 10.0  # seconds between progress lines where stderr is no terminal


def printable(text: str) -> str:
    """Text from a file made harmless for a terminal: control characters are escaped."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


class Output:
    """Where one command writes."""

    def __init__(self, args: Namespace) -> None:
        self.json = bool(args.json)
        self.quiet = bool(args.quiet)
        self.verbose = bool(args.verbose)

    def document(self, document: dict[str, object]) -> None:
        """The one JSON document of ``--json``."""
        print(json.dumps({"schema_version": 1, **document}, indent=2, ensure_ascii=False))

    def data(self, text: str) -> None:
        """The command's result: stdout."""
        print(text)

    def say(self, text: str) -> None:
        """Talk: stderr, silent under ``-q``."""
        if not self.quiet:
            print(printable(text), file=sys.stderr)

    def fail(self, text: str) -> None:
        """A failure that the command goes on after: stderr, under ``-q`` too."""
        print(printable(text), file=sys.stderr)

    def detail(self, text: str) -> None:
        """Talk for ``-v``."""
        if self.verbose:
            self.say(text)

    def table(self, table: Table, *, stderr: bool = False) -> None:
        """A rich table without the blanks that fill its lines, on stdout unless it is only talk."""
        from rich.console import Console

        if stderr and self.quiet:
            return
        console = Console(stderr=stderr, highlight=False)
        with console.capture() as captured:
            console.print(table)
        for line in captured.get().removesuffix("\n").split("\n"):
            print(line.rstrip(), file=sys.stderr if stderr else sys.stdout)

    @contextmanager
    def progress(self, label: str, total: int, *, unit: str = "") -> Iterator[Advance]:
        """Progress towards ``total``; ``unit`` "B" shows bytes, "%" a share."""
        if self.quiet or self.json:
            yield lambda amount, note="": None
        elif sys.stderr.isatty():
            with _bar(label, total, unit) as advance:
                yield advance
        else:
            yield _plain_lines(label, total)


@contextmanager
def _bar(label: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TaskProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    amounts = {"B": DownloadColumn, "%": TaskProgressColumn}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        amounts.get(unit, MofNCompleteColumn)(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, note="")
        yield lambda done, note="": bar.update(task, advance=done, note=note)


def _plain_lines(label: str, total: int) -> Advance:
    done = 0
    last = time.monotonic()

    def advance(amount: int, /, note: str = "") -> None:
        nonlocal done, last
        done += amount
        now = time.monotonic()
        if now - last >= PLAIN_INTERVAL:
            last = now
            text = f"{label}: {100 * done // max(total, 1)} %"
            print(f"{text}, {note}" if note else text, file=sys.stderr, flush=True)

    return advance
