"""``zoo convert``: a torch checkpoint becomes a Paddle checkpoint."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from zoo.cli.arguments import architecture, size
from zoo.cli.output import Output
from zoo.errors import UsageError

EXAMPLES = """\
examples:
  zoo convert ./CLIP-ViT-B-32-laion2B-s34B-b79K --out ./B-32
  zoo convert ./epoch_32.pt --arch ViT-B-32 --id my/model
  zoo convert laion/CLIP-ViT-g-14 --dtype bfloat16 --max-shard-size 1GB

SOURCE is ./PATH, /PATH or ~/PATH, a zoo id (zoo list) or a unique prefix of one,
or a hub id ORG/NAME; hf-hub:ORG/NAME and local-dir:PATH say which. The folder of
the result is printed on stdout."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", nargs="+", help="what to convert")
    parser.add_argument("--out", type=Path, metavar="DIR", help="the folder to make (the cache)")
    parser.add_argument(
        "--dtype",
        choices=("keep", "float32", "float16", "bfloat16"),
        default="keep",
        help="the type of the stored weights (keep: the source's)",
    )
    parser.add_argument(
        "--max-shard-size", type=size, metavar="SIZE", help="split into files of at most 5GB, ..."
    )
    parser.add_argument("--from", dest="family", choices=("open_clip",), help="the format to take")
    parser.add_argument(
        "--arch",
        metavar="NAME|FILE.json",
        help="for weights without a configuration: open_clip's architecture",
    )
    parser.add_argument("--id", metavar="NAME", help="what the model is called")
    parser.add_argument(
        "--trust",
        choices=("file", "manifest"),
        help="whose word counts where configuration and manifest differ",
    )
    parser.add_argument(
        "--allow-nonfinite", action="store_true", help="convert weights with NaN or infinite values"
    )
    parser.add_argument("--force", action="store_true", help="replace what is at --out")


def run(args: argparse.Namespace) -> int:
    from zoo.convert.run import Options, convert
    from zoo.convert.source import find_source

    out = Output(args)
    if len(args.source) > 1 and (args.out or args.id):
        raise UsageError("--out and --id are for one SOURCE")
    options = Options(
        dtype=args.dtype,
        max_shard_size=args.max_shard_size,
        family=args.family,
        arch=None if args.arch is None else architecture(args.arch),
        trust=args.trust,
        allow_nonfinite=args.allow_nonfinite,
        force=args.force,
        command=("zoo", *sys.argv[1:]),
    )
    folders = []
    for text in args.source:
        source = find_source(text, name=args.id)
        folders.append(convert(source, source.path, args.out, options, out))
    if out.json:
        out.document({"folders": [str(folder) for folder in folders]})
    else:
        for folder in folders:
            out.data(str(folder))
    return 0
