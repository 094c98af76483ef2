"""What stands where SOURCE is expected, and words that no command has."""

from __future__ import annotations

import os
from pathlib import Path

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import Make, good

TITLE = "Names, sources and words"
B32 = "CLIP-ViT-B-32-laion2B-s34B-b79K"
NO_NAME = ("can't be the name of a model", "A local folder is written ./FOLDER")


def _nothing(at: Path) -> None:
    """The command alone is the bad input."""


def _convert(*words: str) -> tuple[str, ...]:
    return ("convert", *words, "--out", "{at}/out", "--force")


def _name(input: str, name: str) -> Case:
    return Case(
        input=input, make=_nothing, command=_convert(name), code=4, name="NAME", says=NO_NAME
    )


def _source(input: str, make: Make, code: int, name: str, *says: str) -> Case:
    return Case(input=input, make=make, code=code, name=name, says=says)


def _usage(input: str, *command: str, says: tuple[str, ...]) -> Case:
    return Case(input=input, make=_nothing, command=command, code=2, name="USAGE", says=says)


def _empty_folder(at: Path) -> None:
    (at / "in").mkdir()


def _several(at: Path) -> None:
    _empty_folder(at)
    for name in ("a.pt", "b.pt"):
        (at / "in" / name).touch()


CASES = {
    "name-double-dash": _name("a name with `--`", "a--b/c"),
    "name-three-words": _name("a name of three words", "a/b/c"),
    "name-letters": _name("a name in other letters", "laion/modèle"),
    "name-long": _name("a name of 200 letters", "a" * 200),
    "name-dots": _name("`hf-hub:../../etc`", "hf-hub:../../etc"),
    "name-dash": _name("`hf-hub:-rf/x`", "hf-hub:-rf/x"),
    "name-empty": _name("an empty name", ""),
    "id": Case(
        input="`--id ../x`",
        make=_nothing,
        command=_convert("{at}", "--id", "../x"),
        code=4,
        name="NAME",
        says=NO_NAME,
    ),
    "unknown": Case(
        input="a model that the zoo does not have",
        make=_nothing,
        command=_convert("CLIP-ViT-B-23"),
        code=6,
        name="NOTFOUND",
        says=("there is no model 'CLIP-ViT-B-23' in the zoo",),
    ),
    "ambiguous": Case(
        input="the beginning of several names",
        make=_nothing,
        command=_convert("CLIP-ViT"),
        code=2,
        name="USAGE",
        says=("is ambiguous: it fits", B32),
    ),
    "no-file": Case(
        input="a path where nothing is",
        make=_nothing,
        code=6,
        name="NOTFOUND",
        says=("there is no such file or folder", "/in"),
    ),
    "nobody": Case(
        input="the home folder of nobody",
        make=_nothing,
        command=_convert("~nobody-is-called-so/x"),
        code=6,
        name="NOTFOUND",
        says=("there is no such home folder",),
    ),
    "empty-folder": _source(
        "an empty folder", _empty_folder, 6, "NOTFOUND", "no weights are here", "zoo reads"
    ),
    "several": _source(
        "a folder with several files of weights",
        _several,
        2,
        "USAGE",
        "several weight files: a.pt, b.pt",
        "Name one of them",
    ),
    "pipe": _source(
        "a named pipe, which would be waited for for ever",
        lambda at: os.mkfifo(at / "in"),
        4,
        "PATH",
        "no regular file",
    ),
    "device": Case(
        input="`/dev/zero`, which never ends",
        make=_nothing,
        command=_convert("/dev/zero"),
        code=4,
        name="PATH",
        says=("no regular file",),
    ),
    "loop": _source(
        "a link to itself",
        lambda at: (at / "in").symlink_to(at / "in"),
        6,
        "NOTFOUND",
        "there is no such file or folder",
    ),
    "offline": Case(
        input="a model that is not on this disk, under `ZOO_OFFLINE=1`",
        make=_nothing,
        command=_convert(B32),
        environment={"ZOO_OFFLINE": "1"},
        code=6,
        name="OFFLINE",
        says=(B32,),
    ),
    "no-command": _usage("a command that zoo does not have", "covert", says=("Did you mean: zoo",)),
    "no-source": _usage("`zoo convert` alone", "convert", says=("name a SOURCE",)),
    "option": _usage(
        "an option that does not exist", "convert", ".", "--forse", says=("--forse", "--help")
    ),
    "size": _usage(
        "a shard size that is none",
        *_convert(".", "--max-shard-size", "5 parsecs"),
        says=("'5 parsecs' is no size",),
    ),
    "bytes": _usage("an argument that is not UTF-8", "convert", "./\udcff", says=("is not UTF-8",)),
    "out-for-two": _usage(
        "`--out` for two models", *_convert("./a", "./b"), says=("for one SOURCE",)
    ),
    "not-converted": Case(
        input="a folder that is no converted checkpoint, given to `zoo verify`",
        make=lambda at: good(at / "in"),
        command=("verify", "{at}/in"),
        code=6,
        name="NOTFOUND",
        says=("no provenance.json", "zoo convert"),
    ),
}
