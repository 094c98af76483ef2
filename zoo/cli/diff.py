"""``zoo diff``: two checkpoints in any formats, tensor by tensor."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.output import Output, printable
from zoo.files import expanded, missing

if TYPE_CHECKING:
    from zoo.convert.diff import TensorDiff

EXAMPLES = """\
examples:
  zoo diff ./B-32 ./upstream                 a conversion and what it came from
  zoo diff ./epoch_1.pt ./epoch_2.pt --arch ViT-B-32

A and B are converted folders, or folders or files in any format that zoo
converts. Exit code 3 says that they differ."""

SHOWN = 20  # rows of the table; --json has all


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("a", metavar="A", help="a folder or a file")
    parser.add_argument("b", metavar="B", help="what to hold it against")
    parser.add_argument("--arch", metavar="NAME|FILE.json", help="for weights without a config")


def run(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from zoo.cli.arguments import architecture
    from zoo.convert.diff import diff

    out = Output(args)
    spec = None if args.arch is None else architecture(args.arch)
    found = diff(_path(args.a), _path(args.b), arch=spec, talk=out)
    if out.json:
        out.document({"same": found.same, **asdict(found)})
        return 0 if found.same else 3
    if found.different:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False)
        table.add_column("tensor", no_wrap=True, overflow="fold")
        table.add_column("largest", no_wrap=True)
        table.add_column()
        rows = sorted(found.different, key=lambda d: -(d.largest or 0.0))
        for row in rows[:SHOWN]:
            largest = "" if row.largest is None else f"{row.largest:.3g}"
            table.add_row(Text(printable(row.name)), largest, _note(row))
        out.table(table)
        if len(rows) > SHOWN:
            out.data(f"and {len(rows) - SHOWN} more; --json has all")
    for side, names in (("A", found.only_a), ("B", found.only_b)):
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            out.data(printable(f"only in {side}: {', '.join(names[:SHOWN])}{more}"))
    cast = sum(row.only_cast for row in found.different)
    out.data(
        f"{found.equal} tensors equal to the bit, {len(found.different)} different"
        + (f" ({cast} by a cast alone)" if cast else "")
    )
    return 0 if found.same else 3


def _note(row: TensorDiff) -> str:
    if row.shapes[0] != row.shapes[1]:
        return f"{list(row.shapes[0])} and {list(row.shapes[1])}"
    if row.only_cast:
        return "only a cast"
    if row.largest is None:
        return "NaN or infinite"
    return f"{row.dtypes[0]} and {row.dtypes[1]}" if row.dtypes[0] != row.dtypes[1] else ""


def _path(text: str) -> Path:
    path = expanded(text.removeprefix("local-dir:"))
    if not path.exists():
        raise missing(path)
    return path
