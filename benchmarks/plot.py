"""Results as a picture: how many times as fast, and what size costs."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import matplotlib

matplotlib.use("svg")  # before pyplot: no screen is needed
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator

from benchmarks.results import Case, Ratio, Results, judge

REACHED, MISSED, WANTED = "#2a9d5c", "#c8553d", "#333333"
OURS = "#2a6fbb"
LINES = ("-", "--", ":", "-.")
ROW, PANEL, WIDTH = 0.3, 3.2, 13.0  # inches

plt.rcParams.update(
    {"svg.hashsalt": "zoo", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
)


def plot(results: Results, path: Path) -> None:
    """Writes an SVG: every target with its measured figure, and a panel per thing that varies."""
    bars, panels = _bars(results), _panels(results)
    rows = (len(panels) + 1) // 2
    heights = [max(1.5, ROW * len(bars) + 0.8), PANEL * rows] if rows else [3.0]
    figure = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
    parts[0].suptitle(
        "times as fast: median, smallest and largest round; the mark is what is wanted"
    )
    _plot_bars(parts[0].subplots(), bars)
    for number, (title, cases) in enumerate(panels.items(), start=1):
        _plot_panel(parts[1].add_subplot(rows, 2, number), title, cases)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _bars(results: Results) -> list[tuple[str, Ratio, float, bool]]:
    """Label, speed, the speed that is wanted, and whether it is reached; a cost becomes a speed."""
    bars = []
    for section in results.sections:
        for case in section.cases:
            for target in case.targets:
                verdict = judge(case, target)
                if verdict is None or verdict.over is None or target.in_band:
                    continue
                found = verdict.ratio
                wanted = target.at_least
                if wanted is None:
                    assert target.at_most is not None
                    wanted = 1 / target.at_most
                    found = Ratio(1 / found.middle, 1 / found.high, 1 / found.low)
                label = f"{section.title}, {case.title}: {target.ours} / {verdict.over}"
                bars.append((label, found, wanted, verdict.reached))
    return bars


def _plot_bars(axes: Axes, bars: list[tuple[str, Ratio, float, bool]]) -> None:
    axes.set_xscale("log")
    for place, (_, found, wanted, reached) in enumerate(bars):
        colour = REACHED if reached else MISSED
        axes.barh(place, found.middle - 1, left=1, color=colour, height=0.6)
        spread = [[found.middle - found.low], [found.high - found.middle]]
        axes.errorbar(found.middle, place, xerr=spread, color="black", capsize=3, linewidth=1)
        axes.plot([wanted, wanted], [place - 0.4, place + 0.4], color=WANTED, linewidth=2)
        axes.annotate(
            f"{found.middle:.2f}",
            (found.high, place),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
        )
    axes.axvline(1, color="#bbbbbb", linewidth=1, zorder=0)
    axes.set_yticks(range(len(bars)), [label for label, *_ in bars])
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.xaxis.set_major_formatter("{x:g}")


def _panels(results: Results) -> dict[str, list[Case]]:
    """Cases by work and by what is varied; one case makes no line."""
    panels: dict[str, list[Case]] = defaultdict(list)
    for section in results.sections:
        for case in section.cases:
            if case.against and case.size is not None:
                panels[f"{section.title} ({case.unit}) against {case.against}"].append(case)
    return {title: cases for title, cases in panels.items() if len(cases) > 1}


def _plot_panel(axes: Axes, title: str, cases: list[Case]) -> None:
    axes.set_title(title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    names = dict.fromkeys(c.name for case in cases for c in case.contestants if c.values)
    counts = {True: 0, False: 0}
    for name in names:
        points = [
            (case.size, case.shown(c.middle))
            for case in cases
            for c in case.contestants
            if c.name == name and c.values
        ]
        ours = next(c.ours for case in cases for c in case.contestants if c.name == name)
        style = LINES[counts[ours] % len(LINES)]
        counts[ours] += 1
        colour = OURS if ours else f"C{counts[ours]}"
        axes.plot(*zip(*points, strict=True), style, color=colour, marker="o", ms=3, label=name)
    sizes = [case.size for case in cases if case.size is not None]
    axes.set_xticks(sizes, [f"{size:.3g}" for size in sizes])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(color="#eeeeee")
    axes.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))  # beside the lines
