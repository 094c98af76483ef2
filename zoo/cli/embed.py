"""``zoo embed``: pictures and texts become embeddings, in clip-retrieval's file layout."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.output import Output
from zoo.errors import UsageError
from zoo.files import expanded

if TYPE_CHECKING:
    from zoo.deploy.embeddings import Embedded

EXAMPLES = """\
examples:
  zoo embed ./B-32 --images ./photographs --out ./embeddings
  zoo embed ./B-32 --images shard-00000.tar --texts captions.txt --out ./both
  zoo embed tiny-digits --texts words.txt --out ./words --json

--images is a folder with all below it, a tar or a folder of tars, a text file
with a path per line, or one picture. --texts is a text file, one text per line.
img_emb/img_emb_0.npy and text_emb/text_emb_0.npy are float32, each row of
length 1; metadata/metadata_0.parquet names them row by row. Pictures that
can't be read are counted, named in embed.json and left out. A run that was
killed goes on where it was. The folder of the result is printed on stdout."""

SHOWN = 3  # unreadable pictures in a message


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model", metavar="DIR|SOURCE", help="a converted model, its folder, or its programs"
    )
    parser.add_argument("--images", type=Path, metavar="PATH", help="pictures")
    parser.add_argument("--texts", type=Path, metavar="FILE", help="texts, one per line")
    parser.add_argument("--out", type=Path, metavar="DIR", required=True, help="the folder to make")
    parser.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        default="float32",
        help="what the image tower computes in; what bfloat16 costs is measured (float32)",
    )
    parser.add_argument("--force", action="store_true", help="replace what is at --out")


def run(args: argparse.Namespace) -> int:
    from zoo.deploy.embeddings import embed

    if args.images is None and args.texts is None:
        raise UsageError("nothing is named to embed", remedy="Add --images or --texts, or both.")
    out = Output(args)
    made = embed(
        _folder(args.model, out),
        args.images and expanded(args.images),
        args.texts and expanded(args.texts),
        args.out,
        precision=args.precision,
        force=args.force,
        talk=out,
    )
    if out.json:
        out.document({"folder": str(made.folder), **made.record})
    else:
        _show(made, out)
        out.data(str(made.folder))
    return 0


def _folder(text: str, out: Output) -> Path:
    """A folder of programs as it is, else the converted checkpoint that SOURCE means."""
    from zoo.convert.obtain import converted_folder
    from zoo.deploy.folder import holds_programs

    path = expanded(text.removeprefix("local-dir:"))
    named = text.startswith((".", "/", "~", "local-dir:"))
    return path if named and holds_programs(path) else converted_folder(text, out)


def _show(made: Embedded, out: Output) -> None:
    from zoo.verify.outcome import in_short

    out.say(f"embedded: images {made.images:,}, texts {made.texts:,}")
    if made.unreadable:
        first = "; ".join(f"{name}: {problem}" for name, problem in made.unreadable[:SHOWN])
        out.say(f"{len(made.unreadable):,} images can't be read and are left out: {first}")
    if cost := made.record["cost"]:
        out.say(f"cost of {made.record['precision']}: {in_short(cost)}")
