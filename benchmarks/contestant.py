"""A process that holds a model and does its work when it is told to, from the outside.

It is stopped (SIGSTOP) while it waits: threads that spin for their next task would cost the others
what they are measured by.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, Self

from benchmarks.turns import Turn, TurnError, last_words

SHORTEST = 0.5  # seconds: what is quicker is repeated until it took that long
LONGEST = 600.0  # seconds that a contestant may take for one answer


class Process:
    """A contestant; it starts, and loads its model, when it is first asked for something.

    Args:
        module: of ``benchmarks.contestants``; its ``prepare(**options)`` gives what it can do.
        log: the file for what it prints.
        python: another interpreter, of another environment.
        environment: variables to set.
        options: what ``prepare`` takes, as JSON values.
    """

    def __init__(
        self,
        module: str,
        log: Path,
        *,
        python: str | Path = sys.executable,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._words = [str(python), "-m", "benchmarks.contestants.serve", module]
        self._words.append(json.dumps(options))
        self._log, self._environment = log, {**os.environ, **(environment or {})}
        self._child: subprocess.Popen[str] | None = None
        self._failed: str | None = None

    def turn(self, work: str, given: Path | None = None, *, units: float = 1) -> Turn:
        """A turn that does ``work`` on a file's content; the cost is seconds per unit."""
        return lambda: self.do(work, given) / units

    def do(
        self,
        work: str,
        given: Path | None = None,
        *,
        save: Path | None = None,
        shortest: float = SHORTEST,
    ) -> float:
        """Seconds that one call took, as the contestant's own clock has it.

        Args:
            work: what to do.
            given: a .npy, .npz or .json file; None: it takes nothing.
            save: where to write what it computed, as .npy.
            shortest: seconds for which it is repeated.

        Raises:
            TurnError: it failed, ended, or took too long.
        """
        child = self.start()
        try:
            os.kill(child.pid, signal.SIGCONT)
            request = {
                "work": work,
                "given": given and str(given),
                "save": save and str(save),
                "shortest": shortest,
            }
            assert child.stdin is not None
            print(json.dumps(request), file=child.stdin, flush=True)
            answer = self._answer(child)
            os.kill(child.pid, signal.SIGSTOP)
            os.waitid(os.P_PID, child.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            return float(answer["seconds"])
        except (TurnError, OSError) as error:  # it may do better on other work, from a new start
            self.close()
            raise TurnError(str(error)) from error

    def start(self) -> subprocess.Popen[str]:
        """The child, started where it is not yet.

        It ends with the thread that starts it (prctl(2), PR_SET_PDEATHSIG), which therefore has to
        be one that lasts.

        Raises:
            TurnError: it can't start.
        """
        if self._child is not None:
            return self._child
        if self._failed:
            raise TurnError(self._failed)
        sink: IO[bytes]
        with self._log.open("wb") as sink:
            self._child = subprocess.Popen(
                self._words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=sink,
                text=True,
                env=self._environment,
            )
        try:
            self._answer(self._child)  # that it is ready
        except TurnError as error:  # it would fail again
            self._failed = str(error)
            self.close()
            raise
        return self._child

    def _answer(self, child: subprocess.Popen[str]) -> dict[str, Any]:
        assert child.stdout is not None
        if not select.select([child.stdout], [], [], LONGEST)[0]:
            raise TurnError(f"no answer in {LONGEST:.0f} s")
        line = child.stdout.readline()
        if not line:
            code = child.wait()
            said = last_words(self._log.read_text(errors="replace"))
            raise TurnError(said or f"the process ended with code {code}")
        answer: dict[str, Any] = json.loads(line)
        if "failed" in answer:
            raise TurnError(answer["failed"])
        return answer

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()  # closes the pipes too
            self._child = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
