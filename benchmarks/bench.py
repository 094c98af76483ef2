"""What every work is given: checkpoints, contestants, rounds, and the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from benchmarks.checkpoints import Checkpoints
from benchmarks.contestant import Process
from benchmarks.environment import environment
from benchmarks.results import Case, Contestant, Limit, Target
from benchmarks.turns import Record, Turn, TurnError, in_turns
from zoo.speed.busy import BUSY, cores_in_use
from zoo.verify.compare import relative_rms


@dataclass
class Bench:
    """One run's means.

    Attributes:
        folder: for inputs and logs.
        checkpoints: what to measure on.
        deadline: by the monotonic clock.
        say: talk.
        rounds: instead of a work's own number.
        models: architectures instead of a work's own.
    """

    folder: Path
    checkpoints: Checkpoints
    deadline: float
    say: Callable[[str], object]
    rounds: int | None = None
    models: tuple[str, ...] = ()
    _stack: ExitStack = field(default_factory=ExitStack)
    _started: int = 0

    def left(self) -> float:
        """Seconds."""
        return self.deadline - time.monotonic()

    def start(self, module: str, **options: Any) -> Process:
        """A contestant that ends with the work."""
        self._started += 1
        log = self.folder / f"{self._started:02}-{module}.log"
        return self._stack.enter_context(Process(module, log, **options))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self._stack = ExitStack()

    def race(
        self,
        title: str,
        unit: str,
        turns: Mapping[str, Turn | TurnError],
        *,
        ours: Iterable[str],
        rounds: int,
        warm_up: bool = True,
        baseline: str | None = None,
        targets: Iterable[Target] = (),
        limits: Mapping[str, tuple[str, Turn]] | None = None,
        **more: Any,
    ) -> Case:
        """A case, measured in turns.

        Args:
            title: of the case.
            unit: see ``Case``.
            turns: by contestant; an error in place of a turn: why it can't take part.
            ours: which are zoo's.
            rounds: unless the user wants another number.
            warm_up: a round that counts for nothing comes first.
            baseline: see ``Case``.
            targets: what is wanted; one that names nobody who takes part is left out.
            limits: by name: the unit, and a turn that gives seconds for one.
            more: what else a ``Case`` has.

        Raises:
            TurnError: no time is left.
        """
        if self.left() <= 0:
            raise TurnError(f"out of time before {title}")
        others = cores_in_use()  # nobody of ours is at work yet
        self.say(f"{title}:" + (f" others use {others:.1f} cores" if others > BUSY else ""))
        ours, limits = set(ours), limits or {}
        ready = {name: turn for name, turn in turns.items() if not isinstance(turn, TurnError)}
        everyone = ready | {name: turn for name, (_, turn) in limits.items()}
        records = in_turns(
            everyone,
            self.rounds or rounds,
            warm_up=warm_up,
            left=self.left,
            say=lambda text: self.say(f"  {text}"),
        )
        for name, turn in turns.items():
            if isinstance(turn, TurnError):
                records[name] = Record(failed=str(turn))
        return Case(
            title=title,
            unit=unit,
            baseline=baseline,
            environment=environment(),
            others=round(others, 2),
            contestants=[
                Contestant(
                    name=name,
                    values=records[name].values,
                    failed=records[name].failed,
                    ours=name in ours,
                )
                for name in turns
            ],
            targets=[t for t in targets if t.ours in turns and all(o in turns for o in t.over)],
            limits=[
                Limit(name=name, unit=limit_unit, values=records[name].values)
                for name, (limit_unit, _) in limits.items()
                if records[name].values
            ],
            **more,
        )


class Exact:
    """What open_clip computes in float64, before the contestants that are held against it start:
    beside them the largest models would not fit into memory.

    Args:
        bench: of the work.
        model: the architecture.
        work: what it and the contestants are told to do.
        given: the input.
        axis: along which vectors lie in what is computed; they are compared at length 1, as they
            are used.
    """

    def __init__(self, bench: Bench, model: str, work: str, given: Path, axis: int) -> None:
        self._work, self._given, self._axis = work, given, axis
        self._values: NDArray[np.float64] | None = None
        self._failed = ""
        source = str(bench.checkpoints.source(model))
        bench.say(f"{model}, {work}: in float64")
        with bench.start("torch_model", folder=source, precision="float64") as process:
            try:
                self._values = self._computed(process)
            except TurnError as error:
                self._failed = str(error)

    def judge(self, case: Case, contestants: Mapping[str, Process | TurnError]) -> None:
        """Gives each contestant of the case its relative RMS error.

        One that fails here is out of the case. Without a float64 result there are no errors, and
        the case's note says so.
        """
        if self._values is None:
            case.note = f"No float64 result: {self._failed}"
            return
        for contestant in case.contestants:
            process = contestants.get(contestant.name)
            if not contestant.values or not isinstance(process, Process):
                continue
            try:
                contestant.error = relative_rms(self._computed(process), self._values)
            except TurnError as error:
                contestant.failed, contestant.values = str(error), []

    def _computed(self, process: Process) -> NDArray[np.float64]:
        out = self._given.with_name("computed.npy")
        process.do(self._work, self._given, save=out, shortest=0.0)
        values: NDArray[np.float64] = np.load(out).astype(np.float64)
        values /= np.linalg.norm(values, axis=self._axis, keepdims=True)
        return values
