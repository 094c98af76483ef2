"""What people see of a child process while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from zoo.talk import Advance
from zoo.verify.process import run_child

CHILD = """
from zoo.verify.process import tell
tell("predict", 0, 8, "writing programs")
tell("prompts", 30, 40, "prompt 30 of 40")
tell("prompts", 40, 40, "prompt 40 of 40")
tell("predict", 2, 8, "top-1 50 %")
tell("predict", 8, 8, "top-1 50 %")
"""


class Listener:
    """A Talk that notes what each progress came to, and each note at its percentage."""

    def __init__(self) -> None:
        self.seen: list[list[tuple[int, str]]] = []
        self.open = 0

    def say(self, text: str) -> None:
        pass

    @contextmanager
    def progress(self, label: str, total: int, *, unit: str = "") -> Iterator[Advance]:
        assert (label, total, unit, self.open) == ("zero-shot", 100, "%", 0)
        notes: list[tuple[int, str]] = []
        self.seen.append(notes)
        self.open += 1

        def advance(amount: int, /, note: str = "") -> None:
            notes.append((notes[-1][0] + amount if notes else amount, note))

        yield advance
        self.open -= 1


def test_each_stage_has_a_progress_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "child_of_stages.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parents[2]}")
    listener = Listener()
    run_child("child_of_stages", {}, "zero-shot", listener)
    assert listener.open == 0
    assert listener.seen == [
        [(0, "writing programs")],
        [(75, "prompt 30 of 40"), (100, "prompt 40 of 40")],
        [(25, "top-1 50 %"), (100, "top-1 50 %")],
    ]
