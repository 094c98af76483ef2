"""README's tables are what the manifests say."""

from __future__ import annotations

from tools.make_tables import README, tables, with_tables


def test_the_readme_holds_the_tables() -> None:
    text = README.read_text()
    assert with_tables(text) == text, "run: python -m tools.make_tables"


def test_a_changed_figure_is_seen() -> None:
    text = README.read_text().replace("986,109,441", "986,714,881")
    assert with_tables(text) != text


def test_the_wrong_counts_stand_beside_the_exact_ones() -> None:
    lines = [line for line in tables().splitlines() if "*986.71" in line or "*151.28" in line]
    assert len(lines) == 2
    assert "986,109,441" in lines[1] and "151,288,833" in lines[0]
