"""``zoo doctor``: this environment, and what is missing for what."""

from __future__ import annotations

import argparse
import importlib.util
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from textwrap import fill
from typing import TYPE_CHECKING, Any

from zoo.cli.output import Output
from zoo.talk import shown_size

if TYPE_CHECKING:
    from zoo.speed.measure import Speed

EXAMPLES = """\
examples:
  zoo doctor
  zoo doctor --bench         ten seconds: does this machine give what it should?
  zoo doctor --json"""

WIDTH = 80  # columns of text

# What needs a library: purpose, module, distribution, extra.
LIBRARIES = (
    ("convert, diff, files to roundtrip", "numpy", "numpy", None),
    ("load and run a model, the subject's side of parity", "paddle", "paddlepaddle", "cpu"),
    ("the reference's side of parity, live", "open_clip", "open_clip_torch", "reference"),
    ("the reference's side of parity, live", "torch", "torch", "reference"),
    ("download from the hub", "huggingface_hub", "huggingface_hub", None),
    ("embed; data sets in parquet", "pyarrow", "pyarrow", "datasets"),
    ("sign, check-signature", "model_signing", "model-signing", "sign"),
    ("train on webdataset shards", "webdataset", "webdataset", "train"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--bench", action="store_true", help="measure the machine, for about ten seconds"
    )


def run(args: argparse.Namespace) -> int:
    from zoo import cache
    from zoo.runtime import prepare
    from zoo.verify.environment import describe

    out = Output(args)
    runtime = prepare()
    home = cache.home()
    nearest = next(folder for folder in (home, *home.parents) if folder.exists())
    document: dict[str, Any] = {
        "environment": describe(),
        "libraries": [_library(*row) for row in LIBRARIES],
        "runtime": asdict(runtime),
        "cache": {"folder": str(home), "free_bytes": shutil.disk_usage(nearest).free},
    }
    speed = None
    if args.bench:
        from zoo.speed.measure import measure

        speed = measure(nearest, runtime, lambda what: out.say(f"measuring: {what}"))
        figures = [asdict(figure) | {"ok": figure.ok} for figure in speed.figures]
        document["speed"] = asdict(speed) | {"figures": figures, "busy": speed.busy, "ok": speed.ok}
    if out.json:
        out.document(document)
        return 0
    _show(document, out)
    if speed is not None:
        _show_speed(speed, out)
    return 0


def _library(purpose: str, module: str, distribution: str, extra: str | None) -> dict[str, Any]:
    from zoo.verify.environment import installed

    present = importlib.util.find_spec(module) is not None
    return {
        "name": distribution,
        # Paddle's GPU build is another distribution with the same module.
        "version": installed(distribution) or installed(f"{distribution}-gpu"),
        "installed": present,
        "for": purpose,
        "remedy": None if present else f"pip install 'paddle-clip-zoo[{extra}]'",
    }


def _show(document: dict[str, Any], out: Output) -> None:
    from rich.markup import escape
    from rich.table import Table

    environment, runtime = document["environment"], document["runtime"]
    out.data(f"Python {environment['python']}, {environment['system']}")
    out.data(f"{environment['processor']}, {environment['cores']} processors\n")
    table = Table(box=None, pad_edge=False, show_header=False)
    for library in document["libraries"]:
        state = f"[green]{library['version']}[/]" if library["installed"] else "[yellow]missing[/]"
        purpose = "\n".join(filter(None, (library["for"], library["remedy"])))
        table.add_row(library["name"], state, escape(purpose))
    out.table(table)
    out.data(f"\nPaddle will run with {runtime['threads']} threads, and with:")
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True)  # a name that is cut off can't be set
    for setting in runtime["settings"]:
        table.add_row(
            setting["name"], setting["value"] or "-", setting["origin"], setting["reason"]
        )
    out.table(table)
    free = shown_size(document["cache"]["free_bytes"])
    out.data(f"\ncache: {document['cache']['folder']}, {free} free")


def _show_speed(speed: Speed, out: Output) -> None:
    from rich.table import Table

    out.data("")
    table = Table(box=None, pad_edge=False, show_header=False)
    for figure in speed.figures:
        value = "-" if figure.value is None else f"{figure.value:.3g} {figure.unit}"
        floor = "" if figure.floor is None else f"at least {figure.floor:.2g} expected"
        state = "[green]good[/]" if figure.ok else "[yellow]low[/]"
        if figure.value is None:
            state = "[yellow]not measured[/]"
        table.add_row(figure.name, value, floor, state if figure.floor or not figure.ok else "")
    out.table(table)
    for line in _advice(speed):
        out.data(fill(line, WIDTH))


def _advice(speed: Speed) -> Iterator[str]:
    """What to do, or that there is nothing to do."""
    for figure in speed.figures:
        if figure.value is None or not (figure.ok or speed.busy):
            yield f"{figure.name}: {figure.remedy}"
    if speed.busy:
        yield (
            f"Others are at work on {speed.others:.1f} of {speed.cores} cores: the figures are "
            "less than the machine can give. Measure again when it is quiet."
        )
    elif speed.ok:
        yield "The machine gives what it should."
