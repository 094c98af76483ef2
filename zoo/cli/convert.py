"""``zoo convert``: a torch checkpoint becomes a Paddle checkpoint."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from zoo.cli.output import Output
from zoo.errors import UsageError
from zoo.spec import CLIPSpec

EXAMPLES = """\
examples:
  zoo convert ./CLIP-ViT-B-32-laion2B-s34B-b79K --out ./B-32
  zoo convert ./epoch_32.pt --arch ViT-B-32 --id my/model
  zoo convert laion/CLIP-ViT-g-14 --dtype bfloat16 --max-shard-size 1GB

SOURCE is ./PATH, /PATH or ~/PATH, a zoo id (zoo list) or a unique prefix of one,
or a hub id ORG/NAME; hf-hub:ORG/NAME and local-dir:PATH say which. The folder of
the result is printed on stdout."""

UNITS = {"B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}


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
        "--max-shard-size", type=_size, metavar="SIZE", help="split into files of at most 5GB, ..."
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
        arch=None if args.arch is None else _architecture(args.arch),
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


def _size(text: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?i?B)", text, re.IGNORECASE)
    size = 0 if match is None else int(float(match[1]) * UNITS[match[2].upper()])
    if size <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; 5GB, 500MB and 1GiB are")
    return size


def _architecture(text: str) -> CLIPSpec:
    from zoo.manifest import registry
    from zoo.spec import open_clip

    if text.endswith(".json"):
        return open_clip.read(Path(text))
    return registry().architecture(text)
