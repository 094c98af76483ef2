"""``zoo convert``: a torch checkpoint becomes a Paddle checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.cli.arguments import architecture, size
from zoo.cli.output import Output
from zoo.errors import UsageError, ZooError

if TYPE_CHECKING:
    from zoo.convert.run import Options

EXAMPLES = """\
examples:
  zoo convert ./CLIP-ViT-B-32-laion2B-s34B-b79K --out ./B-32
  zoo convert ./epoch_32.pt --arch ViT-B-32 --id my/model
  zoo convert laion/CLIP-ViT-g-14 --dtype bfloat16 --max-shard-size 1GB

SOURCE is ./PATH, /PATH or ~/PATH, a zoo id (zoo list) or a unique prefix of
one, or a hub id ORG/NAME; hf-hub:ORG/NAME and local-dir:PATH say which. The
folder of the result is printed on stdout."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", nargs="*", help="what to convert")
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
    parser.add_argument(
        "--from", dest="family", choices=("open_clip", "hf", "paddlemix"), help="the format to take"
    )
    parser.add_argument(
        "--arch",
        metavar="NAME|FILE.json",
        help="for weights without a configuration: open_clip's architecture",
    )
    parser.add_argument("--all", action="store_true", help="every model of the zoo")
    parser.add_argument("--revision", metavar="SHA", help="a commit, branch or tag of the hub's")
    parser.add_argument("--id", metavar="NAME", help="what the model is called")
    parser.add_argument(
        "--trust",
        choices=("file", "manifest"),
        help="whose word counts where configuration and manifest differ",
    )
    parser.add_argument(
        "--allow-nonfinite", action="store_true", help="convert weights with NaN or infinite values"
    )
    parser.add_argument("--force", action="store_true", help="replace what zoo wrote at --out")


def run(args: argparse.Namespace) -> int:
    from zoo.convert.run import Options
    from zoo.manifest import registry

    out = Output(args)
    if args.all == bool(args.source):
        raise UsageError("name a SOURCE, or several, or --all", remedy="See: zoo convert --help")
    sources = [manifest.id for manifest in registry().manifests] if args.all else args.source
    if len(sources) > 1 and (args.out or args.id):
        raise UsageError("--out and --id are for one SOURCE")
    options = Options(
        dtype=args.dtype,
        max_shard_size=args.max_shard_size,
        family=args.family,
        arch=None if args.arch is None else architecture(args.arch),
        trust=args.trust,
        allow_nonfinite=args.allow_nonfinite,
        force=args.force,
        command=args.command,
    )
    if len(sources) == 1:
        folder = _convert(sources[0], args, options, out)
        if out.json:
            out.document({"folders": [str(folder)]})
        else:
            out.data(str(folder))
        return 0
    return _convert_all(sources, args, options, out)


def _convert(text: str, args: argparse.Namespace, options: Options, out: Output) -> Path:
    from zoo.convert.obtain import convert_source
    from zoo.convert.source import find_source, paths_told

    with paths_told(text):
        source = find_source(text, name=args.id)
        return convert_source(source, args.out, options, out, revision=args.revision)


def _convert_all(
    sources: list[str], args: argparse.Namespace, options: Options, out: Output
) -> int:
    """One after the other, past failures; the exit code is the first failure's.

    Where there was no connection for one, the others that need it are not tried.
    """
    from zoo.convert.source import find_source
    from zoo.hub.errors import UnreachableError

    folders: dict[str, Path] = {}
    failures: dict[str, ZooError] = {}
    no_connection: UnreachableError | None = None
    for text in sources:
        try:
            if no_connection and find_source(text).path is None:
                failures[text] = no_connection
                continue
            folders[text] = _convert(text, args, options, out)
        except ZooError as error:
            failures[text] = error
            out.fail(f"{text}: {error.name}: {error}")
            if isinstance(error, UnreachableError):
                no_connection = error
                out.fail("There is no connection: what else would be downloaded is not tried.")
    if out.json:
        out.document(
            {
                "folders": [str(folder) for folder in folders.values()],
                "failed": {text: error.name for text, error in failures.items()},
            }
        )
    else:
        for folder in folders.values():
            out.data(str(folder))
        out.say("")
        for text in sources:
            out.say(f"{'converted' if text in folders else failures[text].name:<10} {text}")
    return next((error.exit_code for error in failures.values()), 0)
