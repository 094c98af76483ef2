"""``zoo demo``: the main job on the bundled checkpoint, offline."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from zoo.cli.output import Output
from zoo.errors import CheckError, missing_library

if TYPE_CHECKING:
    from zoo.verify.held_out import HeldOut
    from zoo.verify.run import Result

EXAMPLES = """\
examples:
  zoo demo
  zoo demo --json

The bundled checkpoint is a small CLIP of handwritten digits that open_clip
trained. The demo converts it, climbs the ladder, and classifies digits that it
has never seen: with Paddle, beside what open_clip made of each of them."""


def configure(parser: argparse.ArgumentParser) -> None:
    pass


def run(args: argparse.Namespace) -> int:
    import importlib.util

    from zoo.convert.bundled import bundled_checkpoint
    from zoo.verify.run import verify

    if importlib.util.find_spec("paddle") is None:
        raise missing_library("paddle", "cpu", "the demo")
    out = Output(args)
    started = time.monotonic()
    out.say("1. convert: open_clip_model.safetensors, written by open_clip, to Paddle")
    folder = bundled_checkpoint(out)
    out.say(f"   {folder}\n2. verify: climb the ladder")
    result = verify(
        folder,
        source=None,
        upto="pipeline",
        controls=False,
        command=list(args.command),
        talk=out,
    )
    out.say("3. classify digits that the model has never seen")
    seen = _classify(str(folder))
    seconds = time.monotonic() - started
    (_document if args.json else _show)(out, result, seen, seconds)
    if result.evidence.height < 5 or seen.agreeing < len(seen.labels):
        raise CheckError("the demo's own checks failed; the table above says which")
    return 0


def _classify(folder: str) -> HeldOut:
    import zoo
    from zoo.verify.held_out import classify_held_out

    model, preprocess, _ = zoo.load(f"local-dir:{folder}")
    return classify_held_out(model, preprocess)


def _show(out: Output, result: Result, seen: HeldOut, seconds: float) -> None:
    from rich.table import Table

    from zoo.cli.verify import show_result

    show_result(result, out)
    count = len(seen.labels)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("held-out digits", f"{count}")
    table.add_row("top-1, open_clip", f"{seen.top1(seen.open_clip):.2f} %")
    table.add_row("top-1, Paddle", f"{seen.top1(seen.ours):.2f} %")
    table.add_row("same prediction", f"{seen.agreeing} of {count}")
    out.data("")
    out.table(table)
    agree = result.evidence.height >= 5 and seen.agreeing == count
    verdict = "Paddle computes what open_clip computes" if agree else "Paddle and open_clip DIFFER"
    out.data(f"\n{verdict}: {result.status}, picture by picture. {seconds:.0f} s")


def _document(out: Output, result: Result, seen: HeldOut, seconds: float) -> None:
    from zoo.cli.verify import result_document

    out.document(
        {
            "result": result_document(result),
            "held_out": {
                "images": len(seen.labels),
                "top1_open_clip": seen.top1(seen.open_clip),
                "top1_paddle": seen.top1(seen.ours),
                "agreeing": seen.agreeing,
            },
            "seconds": seconds,
        }
    )
