"""Results as people read them: Markdown for the page, tables for the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.results import (
    Case,
    Contestant,
    Limit,
    Results,
    Section,
    Target,
    Verdict,
    judge,
    share,
    speed,
)
from zoo.speed.busy import BUSY

HEADER = ("work", "who", "median", "spread", "times as fast", "of the limit", "error")
TARGET_HEADER = ("work", "wanted", "found", "spread", "")


class Row(NamedTuple):
    """One line of the targets' table."""

    work: str
    wanted: str
    found: str
    spread: str
    verdict: str


def number(value: float) -> str:
    """Three digits, and no exponent where it can be helped."""
    if value == 0 or 1e-3 <= abs(value) < 1e6:
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:.2e}"


def between(low: float, high: float) -> str:
    return f"{number(min(low, high))} to {number(max(low, high))}"


def rows(case: Case) -> Iterator[tuple[str, ...]]:
    """A case's contestants, the title on the first."""
    title = f"{case.title} ({case.unit})"
    for contestant in case.contestants:
        yield (title, *_cells(case, contestant))
        title = ""


def _cells(case: Case, contestant: Contestant) -> tuple[str, ...]:
    name = contestant.name
    if not contestant.values:
        return (name, "-", contestant.failed or "not run", "", "", "")
    values = [case.shown(value) for value in contestant.values]
    times = ""
    if case.baseline and case.baseline != name:
        found = speed(case, name, case.baseline)
        if found:
            times = f"{number(found.middle)} ({between(found.low, found.high)})"
    used = share(case, name)
    return (
        name,
        number(case.shown(contestant.middle)),
        between(min(values), max(values)),
        times,
        "" if used is None else f"{100 * used:.0f} %",
        "" if contestant.error is None else f"{contestant.error:.1e}",
    )


def targets(section: Section) -> Iterator[Row]:
    """What was wanted in a work, and whether it came."""
    for case in section.cases:
        for target in case.targets:
            yield _row(section, case, target, judge(case, target))


def _row(section: Section, case: Case, target: Target, verdict: Verdict | None) -> Row:
    work = f"{section.title}, {case.title}"
    if verdict is None:
        lost = [
            f"{c.name}: {c.failed or 'not run'}"
            for c in case.contestants
            if c.name in (target.ours, *target.over) and not c.values
        ] or ["no float64 result"]
        return Row(work, _wanted(case, target, None), "-", "; ".join(lost), "not measured")
    ratio = verdict.ratio
    if target.in_band:
        found = f"{number(ratio.middle)} of it"
        return Row(work, _wanted(case, target, verdict.over), found, "", _word(verdict))
    shown = [ratio.middle, ratio.low, ratio.high]
    if not target.over:
        shown = [case.shown(value) for value in shown]
    unit = f" {case.unit}" if not target.over else " ×"
    return Row(
        work,
        _wanted(case, target, verdict.over),
        f"{number(shown[0])}{unit}",
        between(shown[1], shown[2]),
        _word(verdict),
    )


def _word(verdict: Verdict) -> str:
    return "reached" if verdict.reached else "not reached"


def _wanted(case: Case, target: Target, over: str | None) -> str:
    if target.in_band:
        return f"{target.ours}: error within the float64 band"
    against = over or " or ".join(target.over)
    if len(target.over) > 1 and over:
        against = f"{over}, the better one"
    if target.at_least is not None:
        return f"{target.ours}: at least {number(target.at_least)} × as fast as {against}"
    assert target.at_most is not None
    if not target.over:
        return f"{target.ours}: at most {number(case.shown(target.at_most))} {case.unit}"
    return f"{target.ours}: at most {number(target.at_most)} × the time of {against}"


def limits(section: Section) -> str:
    """The machine's limits, by the medians of all rounds of a work."""
    found: dict[str, Limit] = {}
    for case in section.cases:
        for limit in case.limits:
            same = found.setdefault(limit.name, Limit(name=limit.name, unit=limit.unit))
            same.values = [*same.values, *limit.values]
    return "; ".join(f"{n}: {number(one.rate)} {one.unit}/s" for n, one in found.items())


def conditions(section: Section) -> list[str]:
    """Where it ran, how quiet it was there, and what the machine could do at best."""
    places = dict.fromkeys(_place(case.environment) for case in section.cases)
    lines = [f"On {place}." for place in places]
    busy = [case for case in section.cases if case.others > BUSY]
    if busy:
        most, titles = max(case.others for case in busy), ", ".join(case.title for case in busy)
        lines.append(f"THE MACHINE WAS BUSY, up to {most:.1f} cores in use by others: {titles}.")
    if found := limits(section):
        lines.append(f"Limits: {found}.")
    return lines


def early(section: Section) -> list[str]:
    """What could not be measured to its end, and why."""
    return [f"{model} ended early: {why}".strip() for model, why in section.failed.items()]


def _place(environment: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {v}" for name, v in environment["packages"].items())
    return (
        f"{environment['processor']}, {environment['cores']} cores; commit "
        f"{environment['commit']}; {versions}"
    )


def markdown(results: Results, *, plot: str) -> str:
    """The page.

    Args:
        results: of all works so far.
        plot: the picture's place, as seen from the page.
    """
    lines = [
        "# Results",
        "",
        "Made by `python -m benchmarks`; README.md says how it measures. Figures are medians over",
        "the rounds, the smallest and the largest beside them; ratios are taken round by round.",
        "",
        f"![how many times as fast]({plot})",
        "",
        "## Targets",
        "",
        *_lines(TARGET_HEADER, (row for section in results.sections for row in targets(section))),
    ]
    for section in results.sections:
        lines += ["", f"## {section.title}", "", section.about, "", *conditions(section)]
        lines += [f"\n{line}" for line in early(section)]
        if section.cases:
            lines += ["", *_lines(HEADER, (r for case in section.cases for r in rows(case)))]
        lines += [f"\n{case.title}: {case.note}" for case in section.cases if case.note]
    return "\n".join(lines) + "\n"


def _lines(header: tuple[str, ...], body: Iterator[tuple[str, ...]]) -> list[str]:
    rule = "|" + "---|" * len(header)
    return [
        f"| {' | '.join(header)} |",
        rule,
        *(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in body),
    ]


def show(section: Section, console: Console) -> None:
    """One work on the terminal; the page has the spread of every figure too."""
    console.rule(section.title, align="left")
    for case in section.cases:
        table = Table(box=None, pad_edge=False)
        console.print(f"[bold]{case.title}[/]")
        table.add_column("who")  # what gives way where it is narrow
        for title in (case.unit, "times as fast", "of limit", "error"):
            table.add_column(title, justify="right", no_wrap=True)
        for _, name, middle, _, times, used, error in rows(case):
            table.add_row(name, middle, times, used, error)
        console.print(table)
        for contestant in case.contestants:
            if contestant.failed:
                console.print(f"{contestant.name}: {contestant.failed}", markup=False)
        if case.note:
            console.print(case.note, markup=False)
        console.print()
    for line in (*conditions(section), *early(section)):
        console.print(line, markup=False)


def show_targets(sections: Iterable[Section], console: Console) -> None:
    """What was wanted of all works, and how much of it came."""
    table = Table(box=None, pad_edge=False, show_header=False)
    verdicts = []
    for section in sections:
        for row in targets(section):
            colour = {"reached": "green", "not reached": "red"}.get(row.verdict, "yellow")
            table.add_row(row.work, row.wanted, row.found, f"[{colour}]{row.verdict}[/]")
            verdicts.append(row.verdict)
    if not verdicts:
        return
    console.rule("Targets", align="left")
    console.print(table)
    counts = Counter(verdicts)
    console.print(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))
