"""``zoo export``: a converted checkpoint becomes another library's folder, or programs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from zoo.cli.output import Output

EXAMPLES = """\
examples:
  zoo export ./B-32 --to hf --out ./B-32-hf
  zoo export ./finetuned --to open_clip --out ./finetuned-open_clip
  zoo export ./B-32 --to inference --out ./B-32-inference

open_clip reads its folder as local-dir:FOLDER; transformers and PaddleNLP with
CLIPModel.from_pretrained; PaddleMIX's scripts with --model FOLDER. The weights
keep their type.

inference writes both towers as programs of Paddle Inference, float32, any batch
and text length, and holds their features against open_clip's in float64; wrong
programs are not kept. The folder of the result is printed on stdout."""

LIBRARIES = ("open_clip", "hf", "paddlemix", "paddlenlp")
PROGRAMS = "inference"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="DIR", type=Path, help="a converted checkpoint")
    formats = (*LIBRARIES, PROGRAMS)
    parser.add_argument(
        "--to", choices=formats, metavar="FORMAT", required=True, help=", ".join(formats)
    )
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="the folder to make")
    parser.add_argument("--force", action="store_true", help="replace what zoo wrote at --out")


def run(args: argparse.Namespace) -> int:
    out = Output(args)
    document = _programs(args, out) if args.to == PROGRAMS else _export(args, out)
    if out.json:
        out.document(document)
    else:
        out.data(document["folder"])
    return 0


def _export(args: argparse.Namespace, out: Output) -> dict[str, Any]:
    from zoo.convert.export.run import export

    folder = export(
        args.checkpoint, args.out, to=args.to, force=args.force, command=args.command, talk=out
    )
    return {"folder": str(folder)}


def _programs(args: argparse.Namespace, out: Output) -> dict[str, Any]:
    from zoo.cli.findings import grid
    from zoo.deploy.run import export_programs
    from zoo.verify.outcome import in_short

    outcome = export_programs(
        args.checkpoint, args.out, force=args.force, command=args.command, talk=out
    )
    told = in_short(outcome.figures) if outcome.status == "pass" else outcome.reason
    out.say("what the programs compute, held against open_clip in float64")
    out.table(grid([(f"parity {outcome.status}", told or "")]), stderr=True)
    parity = {"status": outcome.status, "reason": outcome.reason, "figures": outcome.figures}
    return {"folder": str(args.out), "parity": parity}
