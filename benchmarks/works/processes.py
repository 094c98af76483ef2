"""Image features by one process with every core, and by two at once with half of them each: what
sharing out a data set over processes costs or gains."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from benchmarks.bench import Bench
from benchmarks.contestant import Process
from benchmarks.inputs import pictures
from benchmarks.peers import DEPLOYED, REFERENCE
from benchmarks.results import Case
from benchmarks.turns import Turn
from zoo.runtime import read_processor

TITLE = "Processes"
MODELS = ("ViT-B-32",)
BATCH = 16
SECONDS = 3.0  # that each is kept busy, so that both are at work nearly all the time


def cases(bench: Bench, model: str) -> Iterator[Case]:
    made = bench.checkpoints
    given = pictures(bench.folder / f"pixels-{model}.npy", made.spec(model), BATCH)
    processor = read_processor()
    half = str(max(1, (processor.cores if processor else 2) // 2))

    def together(processes: list[Process]) -> Turn:
        def busy(process: Process) -> float:
            return process.do("images", given, shortest=SECONDS)

        def turn() -> float:
            for process in processes:
                process.start()  # here, and not in a thread that ends
            with ThreadPoolExecutor(len(processes)) as pool:
                each: list[float] = list(pool.map(busy, processes))
            return 1.0 / sum(BATCH / seconds for seconds in each)

        return turn

    turns: dict[str, Turn] = {}
    for name, module, folder in (
        (DEPLOYED, "zoo_deployed", made.exported(model, "inference")),
        (REFERENCE, "torch_model", made.source(model)),
    ):
        options = {"folder": str(folder)}
        one = bench.start(module, **options)
        two = [
            bench.start(module, environment={"OMP_NUM_THREADS": half}, **options) for _ in range(2)
        ]
        turns[f"{name}, 1 process"] = together([one])
        turns[f"{name}, 2 processes"] = together(two)
    yield bench.race(
        f"{model}, batch {BATCH}",
        "images/s",
        turns,
        ours={name for name in turns if name.startswith("zoo")},
        baseline=f"{REFERENCE}, 1 process",
        rounds=3,
    )
