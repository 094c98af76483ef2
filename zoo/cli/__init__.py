"""The command ``zoo``: one small module per command, imported only when it is called.

A command module has ``configure(parser)``, which declares its arguments, and ``run(args)``, which
returns the exit code or raises a ZooError. Nothing here imports numpy, paddle or torch.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import signal
import sys
from types import FrameType
from typing import NoReturn

from zoo.errors import UsageError, ZooError

COMMANDS = {
    "list": "the models of the zoo: parameters, top-1, licence and status",
    "show": "one model: its source, what is claimed, what a run has shown",
    "convert": "turn a torch or PaddleMIX checkpoint into a Paddle checkpoint",
    "export": "turn a Paddle checkpoint into another library's, or programs",
    "embed": "pictures and texts become embeddings",
    "verify": "climb the ladder: prove what a converted checkpoint computes",
    "diff": "compare two checkpoints tensor by tensor",
    "cache": "what zoo keeps on the disk, and giving it back",
    "sign": "vouch for a converted checkpoint with your key",
    "check-signature": "see whether a key vouches for a converted checkpoint",
    "demo": "convert, verify and classify the bundled digits, offline",
    "doctor": "this environment, and what is missing for what",
}

EXIT_CODES = """\
exit codes: 0 done, 1 unexpected, 2 usage, 3 a check failed, 4 input invalid or
unsafe, 5 digest or signature, 6 not found or offline, 7 disk, permission or
lock, 8 a rung that was asked for did not run, 130 and 143 signals"""


class Interrupted(BaseException):
    """SIGTERM, raised like KeyboardInterrupt so that every cleanup on the way out runs."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(message, remedy=f"See: {self.prog} --help")


def _program() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listing = "\n".join(f"  {name:<{width}} {summary}" for name, summary in COMMANDS.items())
    parser = _Parser(
        prog="zoo",
        usage="zoo COMMAND [OPTIONS]",
        description="Trustworthy CLIP weights for PaddlePaddle.",
        epilog=f"commands:\n{listing}\n\nzoo COMMAND --help has examples.\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="store_true", help="show zoo's version and exit")
    return parser


def _common(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument("--json", action="store_true", help="one JSON document on stdout")
    volume = group.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="say nothing but errors")
    volume.add_argument("-v", "--verbose", action="store_true", help="say more")
    group.add_argument("--debug", action="store_true", help="show a traceback on errors")


def _parse(argv: list[str]) -> argparse.Namespace:
    if not argv or argv[0] in ("-h", "--help"):
        _program().print_help()
        raise SystemExit(0)
    if argv[0] == "--version":
        from zoo.version import VERSION

        print(f"zoo {VERSION}")
        raise SystemExit(0)
    for word in argv:
        if any("\ud800" <= c <= "\udfff" for c in word):  # bytes that are no UTF-8
            raise UsageError("an argument is not UTF-8", where=word)
    name = argv[0]
    if name.startswith("-"):
        raise UsageError(
            f"{name} stands before any command", remedy="Options go behind it: zoo COMMAND --json"
        )
    if name not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(name, COMMANDS, n=1)
        hint = f"Did you mean: zoo {near[0]}" if near else "See: zoo --help"
        raise UsageError(f"there is no command {name!r}", remedy=hint)
    module = importlib.import_module(f"zoo.cli.{name.replace('-', '_')}")
    parser = _Parser(
        prog=f"zoo {name}",
        description=f"{COMMANDS[name][0].upper()}{COMMANDS[name][1:]}.",
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.configure(parser)
    _common(parser)
    args = parser.parse_args(argv[1:])
    args.run = module.run
    args.command = ("zoo", *argv)
    return args


def _on_terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    raise Interrupted


def main(argv: list[str] | None = None) -> int:
    """Runs one command.

    Args:
        argv: the words after ``zoo``; the process's own when None.

    Returns:
        The exit code; docs/commands.md lists them.
    """
    argv = sys.argv[1:] if argv is None else argv
    debug = "--debug" in argv
    signal.signal(signal.SIGTERM, _on_terminate)
    if isinstance(sys.stdout, io.TextIOWrapper):  # data and talk keep their order in one file
        sys.stdout.reconfigure(line_buffering=True)
    try:
        args = _parse(argv)
        code: int = args.run(args)
        sys.stdout.flush()
        return code
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:  # the reader of stdout has gone, as in `zoo list | head`
        _leave_stdout()
        return 0
    except (KeyboardInterrupt, Interrupted) as stop:
        if debug:
            raise
        print("\ninterrupted; nothing unfinished was left behind", file=sys.stderr)
        return 130 if isinstance(stop, KeyboardInterrupt) else 143
    except Exception as error:
        if debug:
            raise
        failure = _in_words(error)
        try:
            _report(failure, as_json="--json" in argv)
            sys.stdout.flush()
        except OSError:  # stdout itself has failed: its disk is full, say
            _leave_stdout()
        return failure.exit_code


def _leave_stdout() -> None:
    """Lets go what is still to be written there, so that Python does not fail on it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _in_words(error: Exception) -> ZooError:
    """Any failure as one that can be told."""
    if isinstance(error, ZooError):
        return error
    if isinstance(error, OSError):  # the system refused something: no bug
        from zoo.errors import as_zoo_error

        return as_zoo_error(error, None)
    if isinstance(error, MemoryError):
        return ZooError("there is not enough memory", remedy="See what limits it: ulimit -a")
    return ZooError(
        f"{type(error).__name__}: {error}",
        remedy="This is a bug in zoo; --debug shows where it happened.",
    )


def _report(error: ZooError, *, as_json: bool) -> None:
    from zoo.cli.output import printable

    print(printable(f"zoo: {error.name}: {error}"), file=sys.stderr)
    if as_json and not error.told:
        import json

        document = {
            "schema_version": 1,
            "error": {
                "name": error.name,
                "what": error.what,
                "where": error.where,
                "remedy": error.remedy,
                "exit_code": error.exit_code,
            },
        }
        print(json.dumps(document))
