"""Ours beside what people would use instead: the same work, in one run, in turns.

Results go to benchmarks/results.json, RESULTS.md and results.svg after every case, so that what a
run has found is kept however it ends; a case that runs again replaces its older self.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks import results as kept
from benchmarks.bench import Bench
from benchmarks.checkpoints import Checkpoints
from benchmarks.plot import plot
from benchmarks.results import Results, Section
from benchmarks.table import markdown, show, show_targets
from benchmarks.turns import TurnError
from benchmarks.works import NAMES, Work, find
from zoo.errors import ZooError

EXAMPLES = """\
examples:
  python -m benchmarks                      every work, in the order shown
  python -m benchmarks convert load         these
  python -m benchmarks --minutes 25         no round is begun that would not fit
  python -m benchmarks images --rounds 9
  python -m benchmarks convert memory --models ViT-bigG-14     24 GiB, 35 GB of disk
"""
HERE = Path(__file__).parent
JSON, PAGE, PLOT = "results.json", "RESULTS.md", "results.svg"


def main(argv: list[str] | None = None) -> int:
    parser = _parser()
    args = parser.parse_args(argv)
    for name in args.works:
        if name not in NAMES:
            parser.error(f"there is no work {name!r}; there are {', '.join(NAMES)}")
    say = _teller()
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        results = kept.read(args.out / JSON)
    except ZooError as error:
        print(f"benchmarks: {error.name}: {error}", file=sys.stderr)
        return error.exit_code
    deadline = time.monotonic() + 60 * args.minutes
    failed, console = [], Console(highlight=False)
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name, _folder(args.folder) as folder:
        bench = Bench(
            folder=Path(name),
            checkpoints=Checkpoints(folder, say),
            deadline=deadline,
            say=say,
            rounds=args.rounds,
            models=tuple(args.models or ()),
        )
        for name in args.works or NAMES:
            section = run(find(name), bench, lambda part: _keep(args.out, results, part))
            show(section, console)
            if section.failed:
                failed.append(name)
    show_targets(results.sections, console)
    say(f"{args.out / PAGE}, {JSON} and {PLOT} are written")
    if failed:
        say(f"ended early: {', '.join(failed)}")
    return 1 if failed else 0


def run(work: Work, bench: Bench, keep: Callable[[Section], object]) -> Section:
    """One work; ``keep`` is given its section after every case, and at its end."""
    started = time.monotonic()
    section = Section(
        work=work.name,
        title=work.title,
        about=work.about,
    )
    bench.say(f"== {work.title} ({max(0.0, bench.left()) / 60:.0f} minutes left)")
    for model in (bench.models or work.models) if work.models else ("",):
        try:
            if bench.left() <= 0:  # before a checkpoint is made for it
                raise TurnError("out of time before it began")
            with bench:
                for case in work.cases(bench, model):
                    section.cases.append(case)
                    keep(section)
        except Exception as error:  # whatever goes wrong in a work, the others still run
            section.failed[model] = str(error) or type(error).__name__
            bench.say(f"{work.name} {model}: {section.failed[model]}")
    keep(section)
    bench.say(f"{work.name}: {time.monotonic() - started:.0f} s")
    return section


def _keep(folder: Path, results: Results, section: Section) -> None:
    results.put(section)
    kept.write(folder / JSON, results)
    (folder / PAGE).write_text(markdown(results, plot=PLOT))
    plot(results, folder / PLOT)


def _teller() -> Callable[[str], None]:
    started = time.monotonic()

    def say(text: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        print(f"{minutes:3}:{seconds:02} {text}", file=sys.stderr, flush=True)

    return say


@contextmanager
def _folder(path: Path | None) -> Iterator[Path]:
    if path is None:
        with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
            yield Path(name)
    else:
        path.mkdir(parents=True, exist_ok=True)
        yield path.resolve()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"of {', '.join(NAMES)} (all)")
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of each work's own number")
    parser.add_argument("--minutes", type=float, default=60.0, metavar="N", help="for all (60)")
    parser.add_argument(
        "--models", nargs="+", metavar="NAME", help="open_clip's architectures (each work's own)"
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="keep checkpoints here for the next run"
    )
    parser.add_argument(
        "--out", type=Path, default=HERE, metavar="DIR", help="for the results (benchmarks)"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
