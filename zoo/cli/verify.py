"""``zoo verify``: climb the ladder."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.output import Output
from zoo.errors import CheckError, DigestError, NotFoundError, NotRunError, UsageError, ZooError

if TYPE_CHECKING:
    from zoo.verify.evidence import Rung
    from zoo.verify.run import Result

EXAMPLES = """\
examples:
  zoo verify                       every converted model, and the bundled one
  zoo verify ./B-32 --report B-32.html
  zoo verify CLIP-ViT-B-32-laion2B-s34B-b79K --upto files
  zoo verify ./B-32 --source ./upstream --self-test
  zoo verify --zero-shot           the bundled digits; ImageNet under $ZOO_DATA
  zoo verify ./B-32 --zero-shot --data ~/imagenet/val --against open_clip

The rungs: 1 files, 2 structure, 3 roundtrip, 4 parity, 5 pipeline, 6 zero-shot.
Parity needs open_clip (the extra `reference`) or goldens that it made, and
Paddle. The evidence is left in the checkpoint's folder."""

RUNGS = ("files", "structure", "roundtrip", "parity", "pipeline", "zero-shot")
DAMAGED = (
    "Don't use what is damaged: convert it again, or take the folder anew from where it came. "
    "evidence.json alone may be removed; `zoo verify` writes it."
)
DEFAULT = "pipeline"  # the highest rung that needs no data set
MARKS = {"pass": "[green]pass[/]", "fail": "[red]FAIL[/]", "not run": "[yellow]not run[/]"}
CAUGHT = {True: "[green]caught[/]", False: "[red]MISSED[/]", None: MARKS["not run"]}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL|DIR",
        nargs="?",
        help="a converted model or its folder (all there are)",
    )
    parser.add_argument("--source", help="what it was converted from (where its provenance says)")
    parser.add_argument(
        "--upto", type=_rung, metavar="RUNG", help="the highest rung to try: its name or number (5)"
    )
    parser.add_argument(
        "--strict", action="store_true", help="a rung that could not run is an error (exit 8)"
    )
    parser.add_argument(
        "--self-test", action="store_true", help="see every check fail on a wrong input too"
    )
    parser.add_argument(
        "--record", action="store_true", help="keep the evidence under manifests/evidence"
    )
    zero_shot = parser.add_argument_group("rung 6")
    zero_shot.add_argument("--zero-shot", action="store_true", help="climb to rung 6")
    zero_shot.add_argument(
        "--data",
        metavar="NAME|PATH",
        help="what to classify: a name under $ZOO_DATA, or a path (the model's own)",
    )
    zero_shot.add_argument(
        "--against", choices=["open_clip"], help="run open_clip on the same images too"
    )
    zero_shot.add_argument(
        "--allow-unreadable",
        action="store_true",
        help="count images that can't be read, instead of failing",
    )
    zero_shot.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="what the image tower computes in; what bfloat16 costs is measured (float32)",
    )
    zero_shot.add_argument(
        "--emit", choices=["clip-benchmark"], help="print the result as CLIP_benchmark writes it"
    )
    parser.add_argument("--report", type=Path, metavar="FILE.html", help="write a page to look at")


def run(args: argparse.Namespace) -> int:
    from zoo.verify.evaluation import Wish
    from zoo.verify.run import record, verify

    out = Output(args)
    upto = _upto(args)
    wish = Wish(
        data=args.data,
        against_open_clip=args.against is not None,
        allow_unreadable=args.allow_unreadable,
        precision=args.precision,
    )
    results = [
        verify(
            folder,
            source=args.source,
            upto=upto,
            zero_shot=wish if upto == RUNGS[-1] else None,
            controls=args.self_test,
            command=list(args.command),
            talk=out,
        )
        for folder in _folders(args.model, out)
    ]
    if args.record:
        for result in results:
            out.say(f"recorded: {record(result)}")
    if args.report:
        from zoo.verify.report import write_report

        write_report(args.report, results)
        out.say(f"report: {args.report}")
    if args.emit:
        from zoo.verify.clip_benchmark import clip_benchmark

        try:
            out.data(clip_benchmark(results))
        except NotRunError:
            _judge(results, asked=upto, strict=args.strict)  # what failed comes before it
            raise
    elif out.json:
        out.document({"results": [result_document(result) for result in results]})
    else:
        for result in results:
            show_result(result, out)
    asked = upto if args.upto or args.zero_shot else None
    try:
        _judge(results, asked=asked, strict=args.strict)
    except ZooError as error:
        error.told = True
        raise
    return 0


def _rung(text: str) -> str:
    if text.isdigit() and 1 <= int(text) <= len(RUNGS):
        return RUNGS[int(text) - 1]
    if text not in RUNGS:
        raise argparse.ArgumentTypeError(f"{text!r} is no rung; {', '.join(RUNGS)} are")
    return text


def _upto(args: argparse.Namespace) -> str:
    """The highest rung to try.

    Raises:
        UsageError: two are asked for, or something of rung 6 without it.
    """
    upto: str = args.upto or (RUNGS[-1] if args.zero_shot else DEFAULT)
    if args.zero_shot and upto != RUNGS[-1]:
        raise UsageError(f"--zero-shot is rung 6, and --upto {upto} is below it")
    if upto != RUNGS[-1]:
        options = {
            "--data": args.data,
            "--against": args.against,
            "--allow-unreadable": args.allow_unreadable,
            "--emit": args.emit,
            "--precision": args.precision != "float32",
        }
        if idle := [name for name, value in options.items() if value]:
            raise UsageError(f"{idle[0]} is for rung 6", remedy="Add --zero-shot.")
    return upto


def _folders(model: str | None, out: Output) -> list[Path]:
    from zoo import cache
    from zoo.convert.bundled import bundled_checkpoint
    from zoo.convert.source import find_source, paths_told

    if model is None:
        bundled = bundled_checkpoint(out)
        return [bundled, *(folder for folder in cache.all_converted() if folder != bundled)]
    source = find_source(model)
    if source.is_bundled:
        return [bundled_checkpoint(out)]
    if source.path is not None:
        return [source.path]
    folders = cache.converted(source.id)
    if not folders:
        remedy = f"Convert it: zoo convert {model}"
        with paths_told(model):
            raise NotFoundError(f"{source.id} has not been converted here", remedy=remedy)
    return folders


def _figures(rung: Rung) -> str:
    from zoo.verify.outcome import in_short

    return "" if rung.status == "fail" and rung.number < len(RUNGS) else in_short(rung.figures)


def show_result(result: Result, out: Output) -> None:
    from rich.markup import escape
    from rich.table import Table

    out.data(f"\n{result.evidence.subject.id}  ({result.folder})")
    table = Table(box=None, pad_edge=False, show_header=False)
    for rung in result.evidence.rungs:
        told = "; ".join(text for text in (rung.reason, _figures(rung)) if text)
        table.add_row(str(rung.number), rung.name, MARKS[rung.status], escape(told))
    out.table(table)
    if claims := result.evidence.rungs[-1].figures.get("claims"):
        _show_claims(claims, result.evidence.rungs[-1].figures["top-1"], out)
    if path := result.evidence.rungs[-1].figures.get("path"):
        _show_path(path, result.evidence.rungs[-1].figures, out)
    if aside := result.outcomes["zero-shot"].aside:
        out.say(f"{aside['images']:,} images classified in {aside['seconds']:.0f} s")
        out.say(f"predictions: {aside['predictions']}")
    if result.controls:
        out.data("negative controls")
        table = Table(box=None, pad_edge=False, show_header=False)
        for control in result.controls:
            told = control.reason.partition("\n")[0]
            if control.caught:
                exact = told.partition(";")[0]  # what must be equal has no factor
                factor = exact if control.factor is None else f"{control.factor:,.3g} x the bound"
                told = f"by {control.rung}, {factor}"
            table.add_row("", control.name, CAUGHT[control.caught], escape(told))
        out.table(table)
    out.data(f"status: {result.status}")


def _show_claims(claims: Sequence[dict[str, Any]], top1: float, out: Output) -> None:
    """Every claim beside what was measured."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for heading in ("top-1 claimed", "measured", "difference", "source", "protocol"):
        table.add_column(heading)
    for claim in claims:
        table.add_row(
            claim["claimed"],
            f"{top1:.3f}",
            f"{claim['difference']:+.3f}",
            escape(claim["source"]),
            escape(claim["protocol"]),
        )
    out.table(table)


def _show_path(path: dict[str, str], figures: dict[str, Any], out: Output) -> None:
    """What computed rung 6, and what rounding cost."""
    out.say("; ".join(f"{tower} tower: {engine}" for tower, engine in path.items()))
    if cost := figures.get("cost"):
        from zoo.verify.outcome import in_short

        out.data(f"cost of {figures['precision']}: {in_short(cost)}")


def result_document(result: Result) -> dict[str, Any]:
    from dataclasses import asdict

    import msgspec

    return {
        "folder": str(result.folder),
        "status": result.status,
        "evidence": msgspec.to_builtins(result.evidence),
        "zero_shot": result.outcomes["zero-shot"].aside,
        "controls": [asdict(control) for control in result.controls],
    }


def _judge(results: Sequence[Result], *, asked: str | None, strict: bool) -> None:
    """Raises what the exit code says: damage before failure before what did not run."""
    for result in results:
        where = result.evidence.subject.id
        for name, outcome in result.outcomes.items():
            if outcome.status == "fail":
                error = _error(CheckError, f"rung {name} failed", outcome.reason, where)
                if name == "files":
                    raise DigestError(error.what, where=where, remedy=DAMAGED)
                raise error
        missed = [control.name for control in result.controls if control.caught is False]
        if missed:
            raise CheckError(f"not caught: {', '.join(missed)}", where=where)
    for result in results:
        where = result.evidence.subject.id
        for name, outcome in result.outcomes.items():
            needed = strict or (asked is not None and name == asked)
            if needed and outcome.status == "not run":
                raise _error(NotRunError, f"rung {name} did not run", outcome.reason, where)
        for control in result.controls:
            if control.caught is None:
                what = f"control {control.name!r} did not run"
                raise _error(NotRunError, what, control.reason, where)


def _error(kind: type[ZooError], what: str, reason: str | None, where: str) -> ZooError:
    """A rung's reason as an error; the lines behind its first say how to mend it."""
    why, _, remedy = (reason or "").partition("\n")
    return kind(f"{what}: {why}", where=where, remedy=remedy or None)
