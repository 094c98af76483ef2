"""``zoo cache``: what zoo keeps on the disk, and giving it back."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, groupby
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from zoo.cache import MODELS, PROGRAMS, all_converted, all_programs, home, kept_by_runs
from zoo.cli.output import Output, printable
from zoo.convert import provenance
from zoo.errors import LockError, NotFoundError, PathError, UsageError, ZooError, as_zoo_error
from zoo.files import PARTIAL, expanded
from zoo.locks import locked
from zoo.manifest import registry
from zoo.talk import shown_size

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLES = """\
examples:
  zoo cache ls
  zoo cache rm CLIP-ViT-B-32-laion2B-s34B-b79K
  zoo cache rm my/model/0123456789ab-float32
  zoo cache rm programs/my/model/0123456789ab
  zoo cache rm classifiers
  zoo cache rm --leftovers

A MODEL is all its conversions and programs; a FOLDER is one, as `zoo cache ls`
names it or as a path. What was downloaded is in the hub's own cache, which
other programs use too: hf cache ls"""

ASIDE = ".old"  # suffix of a folder on its way out


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """A converted model in the cache; ``problem`` says why its provenance can't be read."""

    path: Path
    nbytes: int
    dtype: str | None = None
    repo: str | None = None
    commit: str | None = None
    problem: str | None = None

    @property
    def origin(self) -> str:
        """Where it came from, for people."""
        if self.problem:
            return f"? {self.problem}"
        return f"{self.repo}@{(self.commit or '?')[:12]}" if self.repo else "local files"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("ls", "rm"), metavar="ls|rm", help="list, or remove")
    parser.add_argument(
        "targets", nargs="*", default=[], metavar="MODEL|FOLDER", help="what to remove"
    )
    parser.add_argument(
        "--leftovers", action="store_true", help="remove what interrupted runs have left behind"
    )


def run(args: argparse.Namespace) -> int:
    out = Output(args)
    if args.action == "ls":
        if args.targets or args.leftovers:
            raise UsageError("zoo cache ls takes no arguments")
        _list(out)
    elif args.targets or args.leftovers:
        found = [path for target in args.targets for path in _find(target)]
        _remove(out, [*found, *(_leftovers() if args.leftovers else ())])
    else:
        raise UsageError("nothing is named that could be removed", remedy="See: zoo cache --help")
    return 0


def _list(out: Output) -> None:
    held = [_conversion(path) for path in all_converted()]
    left = {path: _nbytes(path) for path in _leftovers()}
    made = {path: _nbytes(path) for path in (*all_programs(), *kept_by_runs())}
    total = sum(c.nbytes for c in held) + sum(made.values()) + sum(left.values())
    if out.json:
        models = [
            {
                "id": _name(c.path.parent),
                "path": str(c.path),
                "bytes": c.nbytes,
                "dtype": c.dtype,
                "repo": c.repo,
                "commit": c.commit,
                "problem": c.problem,
            }
            for c in held
        ]
        out.document(
            {
                "home": str(home()),
                "models": models,
                "made": _entries(made),
                "leftovers": _entries(left),
                "bytes": total,
            }
        )
        return
    if held:
        out.table(_table(held))
    for path, nbytes in made.items():
        out.data(printable(f"{_name(path)}, {shown_size(nbytes)}"))
    for path, nbytes in left.items():
        out.data(
            printable(f"left behind by an interrupted run: {_name(path)}, {shown_size(nbytes)}")
        )
    out.data(printable(f"{shown_size(total)} in {home()}"))


def _entries(sizes: Mapping[Path, int]) -> list[dict[str, object]]:
    return [{"path": str(path), "bytes": nbytes} for path, nbytes in sizes.items()]


def _table(held: list[Conversion]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("converted models", "size", "dtype", "source"):
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold")
    for model, conversions in groupby(held, key=lambda conversion: _name(conversion.path.parent)):
        table.add_row(Text(printable(model), style="bold"))
        for c in conversions:
            cells = (f"  {c.path.name}", shown_size(c.nbytes), c.dtype or "?", c.origin)
            table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _remove(out: Output, folders: Iterable[Path]) -> None:
    removed = {}
    for folder in dict.fromkeys(folders):
        removed[folder] = _nbytes(folder)
        with _unused(folder):
            _delete(folder)
        if not out.json:
            out.data(printable(f"removed {_name(folder)}, {shown_size(removed[folder])}"))
    total = sum(removed.values())
    if out.json:
        out.document({"removed": _entries(removed), "bytes": total})
    else:
        out.say(f"{shown_size(total)} are free again")


def _delete(folder: Path) -> None:
    if not folder.name.startswith("."):
        # Out of sight in one step: an interrupted removal leaves a leftover, not half a model.
        aside = folder.with_name(f".{folder.name}{ASIDE}")
        shutil.rmtree(aside, ignore_errors=True)
        folder = folder.rename(aside)
    shutil.rmtree(folder)


@contextmanager
def _unused(folder: Path) -> Iterator[None]:
    """Holds the lock of a folder, or of the one that a leftover was to become.

    Raises:
        LockError: somebody else holds it; there is no waiting for it.
        AccessError, DiskError: as the system says.
    """

    def refuse(_waiting: str) -> NoReturn:
        raise LockError(
            "another process is using this",
            where=folder,
            remedy="Nothing of it was removed. Run again when that process has ended.",
        )

    hidden = folder.name.startswith(".")
    target = folder.name[1:].removesuffix(PARTIAL).removesuffix(ASIDE) if hidden else folder.name
    try:
        with locked(folder.with_name(target), refuse):
            yield
    except OSError as error:
        raise as_zoo_error(error, folder) from error


def _find(target: str) -> list[Path]:
    """The folders that a MODEL or FOLDER names; only what is in the cache is ever found."""
    held = [*all_converted(), *all_programs(), *kept_by_runs()]
    if target.startswith((".", "/", "~")):
        path = expanded(target).resolve()
        found = [folder for folder in held if folder.resolve() == path]
        if not found:
            raise PathError("this is nothing that is in the cache", where=path)
        return found
    by_name = [f for f in held if target in (_name(f), _model(f))]
    manifest = None if by_name else registry().match(target)
    found = by_name or [f for f in held if manifest and _model(f) == manifest.id]
    if not found:
        raise NotFoundError(
            f"the cache has nothing of {target!r}", remedy="`zoo cache ls` shows what it has."
        )
    return found


def _leftovers() -> list[Path]:
    """What interrupted runs left; what a running one is writing is none."""
    hidden = chain.from_iterable((home() / kind).glob("**/.*") for kind in (MODELS, PROGRAMS))
    left = [p for p in hidden if p.name.endswith((PARTIAL, ASIDE)) and _is_folder(p)]
    return sorted(path for path in left if not _in_use(path))


def _in_use(leftover: Path) -> bool:
    try:
        with _unused(leftover):
            return False
    except LockError:
        return True


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _conversion(path: Path) -> Conversion:
    nbytes = _nbytes(path)
    try:
        record = provenance.read(path)
    except ZooError as error:
        return Conversion(path=path, nbytes=nbytes, problem=error.what)
    dtypes = {tensor.dtype for tensor in record.tensors.values()}
    return Conversion(
        path=path,
        nbytes=nbytes,
        dtype=dtypes.pop() if len(dtypes) == 1 else "mixed",
        repo=record.source.repo,
        commit=record.source.commit,
    )


def _name(path: Path) -> str:
    """A folder as it is called here: relative to all models, or to the cache."""
    models = home() / MODELS
    return path.relative_to(models if path.is_relative_to(models) else home()).as_posix()


def _model(path: Path) -> str:
    """Whose conversion or programs a folder holds."""
    return _name(path.parent).removeprefix(f"{PROGRAMS}/")


def _nbytes(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
