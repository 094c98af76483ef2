"""One HTML file that needs no network: verdict, rungs, error per layer, controls, environment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from zoo.files import write_atomic
from zoo.verify.evidence import Rung
from zoo.verify.outcome import in_short
from zoo.verify.plot import plot_layers
from zoo.verify.run import Result

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fff; --soft: #6b7685; --line: #d9dee5;
  --good: #1a7f4b; --bad: #c0362c; --wait: #9a6b00; --ours: #1f5fbf; --band: #1a7f4b22; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --paper: #14181e; --soft: #98a3b3;
  --line: #333b46; --good: #4cc38a; --bad: #ff7b70; --wait: #e0b050; --ours: #7fb2ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 960px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; overflow-wrap: anywhere; } h2 { font-size: 1.1rem; }
.verdict { font-size: 1.25rem; } .soft { color: var(--soft); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0;
  border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
td span, td:nth-child(2) { white-space: nowrap; }
.pass, .caught { color: var(--good); } .fail, .missed { color: var(--bad); font-weight: 600; }
.not-run { color: var(--wait); }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); }
.grid { stroke: var(--line); } .band { fill: var(--band); }
polyline { fill: none; stroke-width: 1.5; } .ours { stroke: var(--ours); }
.reference { stroke: var(--soft); stroke-dasharray: 4 3; } .in { fill: var(--ours); }
.out { fill: var(--bad); } pre { overflow-x: auto; font-size: .85rem; }
.wide { overflow-x: auto; }
@media (max-width: 40rem) { svg { width: 40rem; } tr, td { display: block; }
  tr:first-child { display: none; } td { padding: 0; border: 0; }
  tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .bounds::before { content: "bounds: "; color: var(--soft); }
  td:nth-child(-n+3) { display: inline-block; padding-right: .75rem; } }
"""


def write_report(path: Path, results: Sequence[Result]) -> None:
    """Writes the page, whole or not at all.

    Raises:
        DiskError, AccessError: as the system says.
    """
    title = ", ".join(result.evidence.subject.id for result in results) or "no checkpoint"
    body = "\n<hr>\n".join(_section(result) for result in results)
    page = (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>zoo verify: {escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )
    write_atomic(path, page.encode())


def _section(result: Result) -> str:
    evidence = result.evidence
    parts = [
        f"<h1>{escape(evidence.subject.id)}</h1>",
        f'<p class="verdict">Status: <strong>{result.status}</strong></p>',
        f'<p class="soft">{_passed(evidence.height)}</p>',
        f'<p class="soft">tensors {escape(evidence.subject.tensors_digest[:16])}…, '
        f"<code>{escape(' '.join(evidence.command))}</code></p>",
        "<h2>The ladder</h2>",
        _table(("", "rung", "", "figures", "bounds"), [_rung(rung) for rung in evidence.rungs]),
    ]
    layers = result.outcomes["parity"].layers
    if layers:
        parts += [
            "<h2>Error per layer</h2>",
            f'<div class="wide">{plot_layers(layers)}</div>',
            '<p class="soft">Relative RMS error against float64. Solid: Paddle in float32. Dashed: '
            "the reference in float32. Shaded: what ours may be, the larger of twice the "
            "reference's error and 4 units in the last place. Point at a dot for its figures.</p>",
        ]
    if result.controls:
        rows = [
            [
                escape(control.name),
                _word({True: "caught", False: "missed", None: "not run"}[control.caught]),
                escape(control.rung),
                "" if control.factor is None else f"{control.factor:,.4g} × the bound",
                escape(control.reason),
            ]
            for control in result.controls
        ]
        head = ("mistake", "", "by rung", "worst error", "found first")
        parts += ["<h2>Negative controls</h2>", _table(head, rows)]
    environment = json.dumps(evidence.environment, indent=2, sort_keys=True, ensure_ascii=False)
    parts += ["<h2>Environment</h2>", f"<pre>{escape(environment)}</pre>"]
    return "\n".join(parts)


def _passed(height: int) -> str:
    """How high the ladder was climbed without a gap: what a status stands for."""
    rungs = {0: "no rung", 1: "rung 1"}.get(height, f"rungs 1 to {height}")
    return f"{rungs} passed, of the six below; each stands on the ones before it"


def _rung(rung: Rung) -> list[str]:
    on = "" if rung.measured_on is None else f"on {rung.measured_on.name}"
    reason = escape(rung.reason or "")
    told = [text for text in (reason, _figures(rung.figures), escape(on)) if text]
    return [
        str(rung.number),
        escape(rung.name),
        _word(rung.status),
        "<br>".join(told),
        f'<div class="bounds">{_figures(rung.bounds)}</div>' if rung.bounds else "",
    ]


def _figures(figures: Mapping[str, Any]) -> str:
    """Figures in short, each on one line: a browser would break 1e-07 at its sign."""
    return ", ".join(f"<span>{escape(figure)}</span>" for figure in in_short(figures).split(", "))


def _word(word: str) -> str:
    return f'<span class="{word.replace(" ", "-")}">{word}</span>'


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    lines = ["<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows]
    return '<div class="wide"><table>\n' + "\n".join(lines) + "\n</table></div>"
