"""Tables say what the figures say, and who failed and why."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.results import Case, Limit, Results, Section, Target
from benchmarks.table import markdown, number, show, show_targets, targets


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.0123, "0.0123"), (2.345, "2.35"), (123.4, "123"), (80000.0, "80,000")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_the_page(section: Section) -> None:
    page = markdown(Results(sections=[section]), plot="results.svg")
    assert "| zoo | 2 | 2 to 4 | 3 (2 to 4) | 50 % | 2.0e-07 |" in page
    assert "| lost | - | no / such library |" in page  # a pipe would end the cell
    assert "zoo: at least 2.5 × as fast as slow | 3 × | 2 to 4 | reached |" in page
    assert "as fast as quick, the better one | 0.8 × | 0.8 to 1 | not reached |" in page
    assert "zoo: at most 0.4 × the time of slow | 0.333 × | 0.25 to 0.5 | reached |" in page
    assert "| - | lost: no | such library | not measured |".replace("no |", "no /") in page
    assert "a processor, 2 cores; commit abc; numpy 2." in page
    assert "product: 100 GFLOP/s" in page
    assert "BUSY" not in page


def test_an_error_is_shown_as_a_share_of_its_band(section: Section, case: Case) -> None:
    case.find("slow").error = 1e-6
    case.targets = [Target(ours="zoo", over=["slow"], in_band=True)]
    (row,) = targets(section)
    assert row[1:] == ("zoo: error within the float64 band", "0.1 of it", "", "reached")


def test_every_row_has_all_its_cells(section: Section) -> None:
    lines = markdown(Results(sections=[section]), plot="x").splitlines()
    for table in ("| work | wanted", "| work | who"):
        start = next(i for i, line in enumerate(lines) if line.startswith(table))
        rows = [line for line in lines[start:] if line.startswith("|")][:4]
        assert len({row.count("|") for row in rows}) == 1


def test_a_busy_machine_is_told(section: Section) -> None:
    section.cases[0].others = 1.7
    assert "BUSY, up to 1.7 cores" in markdown(Results(sections=[section]), plot="x")


def test_a_work_that_ended_early_says_why(section: Section) -> None:
    section.failed["ViT-L-14"] = "the disk is full"
    assert "ViT-L-14 ended early: the disk is full" in markdown(
        Results(sections=[section]), plot="x"
    )


def test_a_bound_on_ones_own_cost_is_shown_in_its_unit(section: Section, case: Case) -> None:
    case.unit, case.targets = "ms", [Target(ours="zoo", at_most=0.3)]
    (row,) = targets(section)
    assert row.wanted == "zoo: at most 300 ms" and row.found == "500 ms"
    assert row.verdict == "not reached"


def test_a_limit_is_the_median_over_all_cases(section: Section, case: Case) -> None:
    other = Case(
        title="b",
        unit="s",
        contestants=[],
        environment=case.environment,
        limits=[Limit(name="product", unit="GFLOP", values=[0.02, 0.02])],
    )
    section.cases.append(other)
    assert "product: 50 GFLOP/s" in markdown(Results(sections=[section]), plot="x")


def test_the_terminal_has_80_columns(section: Section) -> None:
    text = io.StringIO()
    show(section, Console(file=text, width=80))
    assert max(len(line) for line in text.getvalue().splitlines()) <= 80
    assert "no | such library" in text.getvalue()


def test_the_targets_on_the_terminal(section: Section) -> None:
    text = io.StringIO()
    show_targets([section], Console(file=text, width=80))
    assert "1 not measured, 1 not reached, 2 reached" in text.getvalue()
    assert max(len(line) for line in text.getvalue().splitlines()) <= 80
