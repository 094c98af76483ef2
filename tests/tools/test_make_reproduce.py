"""The table of docs/reproduce.md is what the manifests say."""

from __future__ import annotations

from tools.make_reproduce import PAGE, table, with_table
from zoo.manifest import registry


def test_the_page_holds_the_table() -> None:
    text = PAGE.read_text()
    assert with_table(text) == text, "run: python -m tools.make_reproduce"


def test_a_changed_figure_is_seen() -> None:
    text = PAGE.read_text().replace("66.56", "66.5")
    assert with_table(text) != text


def test_every_entry_has_its_row() -> None:
    rows = table().splitlines()[2:]
    commands = [f"`zoo verify {manifest.id} --zero-shot` |" for manifest in registry().manifests]
    assert [row[-len(command) :] for row, command in zip(rows, commands, strict=True)] == commands
