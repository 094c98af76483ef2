"""``zoo demo``: the main job on the bundled checkpoint, offline."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from zoo.cli.output import Output
from zoo.errors import CheckError, missing_library

if TYPE_CHECKING:
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
    from zoo.verify.evaluation import Wish
    from zoo.verify.run import verify

    if importlib.util.find_spec("paddle") is None:
        raise missing_library("paddle", "cpu", "the demo")
    out = Output(args)
    started = time.monotonic()
    out.say("1. convert: open_clip_model.safetensors, written by open_clip, to Paddle")
    folder = bundled_checkpoint(out)
    out.say(f"   {folder}\n2. verify: climb the ladder, up to digits the model has never seen")
    result = verify(
        folder,
        source=None,
        upto="zero-shot",
        zero_shot=Wish(),
        controls=False,
        command=list(args.command),
        talk=out,
    )
    seconds = time.monotonic() - started
    (_document if args.json else _show)(out, result, seconds)
    if result.evidence.height < 6:
        failed = CheckError("the demo's own checks failed; the table above says which")
        failed.told = True
        raise failed
    return 0


def _show(out: Output, result: Result, seconds: float) -> None:
    from rich.table import Table

    from zoo.cli.verify import show_result

    show_result(result, out)
    seen = result.outcomes["zero-shot"].figures
    if not seen:
        return
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("held-out digits", f"{seen['images']}")
    table.add_row("top-1, open_clip", f"{seen['top-1 of open_clip']:.2f} %")
    table.add_row("top-1, Paddle", f"{seen['top-1']:.2f} %")
    table.add_row("same prediction", f"{seen['same prediction']} of {seen['images']}")
    out.data("")
    out.table(table)
    agree = result.evidence.height == 6 and seen["same prediction"] == seen["images"]
    verdict = "Paddle computes what open_clip computes" if agree else "Paddle and open_clip DIFFER"
    out.data(f"\n{verdict}: {result.status}, picture by picture. {seconds:.0f} s")


def _document(out: Output, result: Result, seconds: float) -> None:
    from zoo.cli.verify import result_document

    seen = result.outcomes["zero-shot"].figures
    names = {
        "images": "images",
        "top1_open_clip": "top-1 of open_clip",
        "top1_paddle": "top-1",
        "agreeing": "same prediction",
    }
    out.document(
        {
            "result": result_document(result),
            "held_out": {name: seen.get(figure) for name, figure in names.items()},
            "seconds": seconds,
        }
    )
