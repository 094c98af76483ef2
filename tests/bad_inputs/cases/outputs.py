"""Places where the result must not go, or can't."""

from __future__ import annotations

from pathlib import Path

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import good

TITLE = "Outputs"


def _convert(out: str, *more: str) -> tuple[str, ...]:
    return ("convert", "{at}/in", "--out", out, *more)


def _link(at: Path) -> None:
    good(at / "in")
    (at / "elsewhere").mkdir()
    (at / "link").symlink_to(at / "elsewhere")


def _dangling(at: Path) -> None:
    good(at / "in")
    (at / "link").symlink_to(at / "nothing")


def _file(at: Path) -> None:
    good(at / "in")
    (at / "file").write_text("mine")


def _another(at: Path) -> None:
    good(at / "in")
    (at / "photos").mkdir()
    (at / "photos" / "cat.jpg").write_text("mine")


CASES = {
    "exists": Case(
        input="an output that is there already",
        make=lambda at: good(at / "in"),
        command=_convert("{at}/out"),
        code=4,
        name="PATH",
        says=("the output exists", "add --force"),
    ),
    "another": Case(
        input="an output that is a folder of something else, with `--force`",
        make=_another,
        command=_convert("{at}/photos", "--force"),
        code=4,
        name="PATH",
        says=("exists and is not zoo's: it has no provenance.json, and holds 'cat.jpg'",),
    ),
    "file": Case(
        input="an output that is a file",
        make=_file,
        command=_convert("{at}/file", "--force"),
        code=4,
        name="PATH",
        says=("exists and is no folder",),
    ),
    "link": Case(
        input="an output that is a link to a folder",
        make=_link,
        command=_convert("{at}/link", "--force"),
        code=4,
        name="PATH",
        says=("a link, which zoo does not follow",),
    ),
    "dangling": Case(
        input="an output that is a link to nothing",
        make=_dangling,
        command=_convert("{at}/link", "--force"),
        code=4,
        name="PATH",
        says=("a link, which zoo does not follow",),
    ),
    "below-file": Case(
        input="an output below a file",
        make=_file,
        command=_convert("{at}/file/out"),
        code=7,
        name="DISK",
        says=("reading or writing failed", "/file"),
    ),
    "no-name": Case(
        input="an output without a name of its own (`/`, `..`)",
        make=lambda at: good(at / "in"),
        command=_convert("{at}/..", "--force"),
        code=4,
        name="PATH",
        says=("needs a name of its own",),
    ),
    "source": Case(
        input="an output that is the source",
        make=lambda at: good(at / "in"),
        command=_convert("{at}/in", "--force"),
        code=4,
        name="PATH",
        says=("would take the place of the source",),
    ),
    "above-source": Case(
        input="an output that holds the source",
        make=lambda at: good(at / "in"),
        command=("convert", "{at}/in", "--out", "{at}", "--force"),
        code=4,
        name="PATH",
        says=("would take the place of the source",),
    ),
    "long-name": Case(
        input="an output with a name of 300 letters",
        make=lambda at: good(at / "in"),
        command=_convert("{at}/" + "x" * 300),
        code=7,
        name="DISK",
        says=("File name too long",),
    ),
    "home-file": Case(
        input="a cache (`ZOO_HOME`) that is a file",
        make=lambda at: good(at / "in"),
        command=("convert", "{at}/in"),
        environment={"ZOO_HOME": "/dev/null"},
        code=7,
        name="DISK",
        says=("/dev/null",),
    ),
}
