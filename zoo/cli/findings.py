"""Evidence for people and for programs: what each piece of it says, rung by rung."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.cli.output import Output, printable
from zoo.verify.outcome import in_short
from zoo.verify.standing import Finding

if TYPE_CHECKING:
    from rich.table import Table


def evidence_document(found: tuple[Finding, ...]) -> list[dict[str, Any]]:
    return [
        {
            "where": str(finding.where),
            "status": finding.status,
            "problem": finding.problem,
            "evidence": msgspec.to_builtins(finding.evidence),
        }
        for finding in found
    ]


def print_evidence(out: Output, found: tuple[Finding, ...]) -> None:
    if not found:
        out.data("\nno evidence yet: `zoo convert` and `zoo verify` make it")
    for finding in found:
        out.data(f"\nevidence: {printable(str(finding.where))}\n")
        out.table(grid(_outcome(finding)))


def _outcome(finding: Finding) -> Iterator[tuple[str, str]]:
    """What one piece of evidence says, rung by rung."""
    if finding.evidence is None:
        yield "none", finding.problem or ""
        return
    yield "shows", finding.status
    yield "tensors", f"sha256 {finding.evidence.subject.tensors_digest}"
    for rung in finding.evidence.rungs:
        said = [rung.status, rung.reason, in_short(rung.figures)]
        if on := rung.measured_on:
            said.append(f"on {on.name} ({on.items}{', all of it' if on.whole else ''})")
        yield f"{rung.number} {rung.name}", ", ".join(text for text in said if text)


def grid(rows: Iterable[tuple[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(printable(name)), Text(printable(value)))
    return grid
