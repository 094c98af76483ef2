"""``zoo export``: a converted checkpoint becomes another library's folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from zoo.cli.output import Output

EXAMPLES = """\
examples:
  zoo export ./B-32 --to hf --out ./B-32-hf
  zoo export ./finetuned --to open_clip --out ./finetuned-open_clip

open_clip reads its folder as local-dir:FOLDER; transformers and PaddleNLP with
CLIPModel.from_pretrained; PaddleMIX's scripts with --model FOLDER. The weights
keep their type. The folder of the result is printed on stdout."""

LIBRARIES = ("open_clip", "hf", "paddlemix", "paddlenlp")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("checkpoint", metavar="DIR", type=Path, help="a converted checkpoint")
    parser.add_argument("--to", choices=LIBRARIES, required=True, help="whose format")
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="the folder to make")
    parser.add_argument("--force", action="store_true", help="replace what is at --out")


def run(args: argparse.Namespace) -> int:
    from zoo.convert.export.run import export

    out = Output(args)
    folder = export(
        args.checkpoint, args.out, to=args.to, force=args.force, command=args.command, talk=out
    )
    if out.json:
        out.document({"folder": str(folder)})
    else:
        out.data(str(folder))
    return 0
