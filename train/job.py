"""How a job of several processes fails: in one message, of the rank that failed first."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

from train.topology import Topology
from zoo.cli.output import printable
from zoo.errors import CheckError, ZooError, as_zoo_error

FAILURE_NAME = "failure.txt"
PATIENCE = 1.0  # seconds that Python has to notice a signal
_asked_to_stop: list[int] = []  # the signals that came
_heard: list[threading.Event] = []  # set once Python has heard of SIGTERM
SIGTERM_CODE = 128 + signal.SIGTERM
TOLD = "was told to stop (SIGTERM), as the launcher does when another process of the job is gone"
LOST = ("connection", "peer", "timed out")  # in what a collective says when another rank is gone


class Terminated(BaseException):
    """SIGTERM; also the launcher's word to all ranks once one of them is gone."""


class Stopped(CheckError):
    """Another rank failed, with whose exit code this one ends."""

    def __init__(self, what: str, *, code: int, remedy: str | None = None) -> None:
        super().__init__(what, remedy=remedy)
        self.exit_code = code  # type: ignore[misc]


@dataclass
class Outcome:
    code: int = 0


@contextmanager
def reported() -> Iterator[Outcome]:
    """Turns a ZooError or a signal into a message and an exit code; anything else is a bug, with
    traceback."""
    outcome = Outcome()
    try:
        yield outcome
    except (KeyboardInterrupt, Terminated) as stop:
        print("\ninterrupted; nothing unfinished was left behind", file=sys.stderr, flush=True)
        outcome.code = 130 if isinstance(stop, KeyboardInterrupt) else 143
    except ZooError as error:
        outcome.code = _report(error)
    except OSError as error:
        if _asked_to_stop:  # in a backward pass Paddle makes an OSError of what a handler raises
            print("\ninterrupted; nothing unfinished was left behind", file=sys.stderr, flush=True)
            outcome.code = 128 + _asked_to_stop[0]
        else:
            outcome.code = _report(as_zoo_error(error, None))


def _report(error: ZooError) -> int:
    print(printable(f"zoo: {error.name}: {error}"), file=sys.stderr, flush=True)
    return error.exit_code


@contextmanager
def one_failure(topology: Topology, output: Path) -> Iterator[None]:
    """Of the ranks that fail together, the first one's reason is everyone's.

    A rank that fails by itself, or is told to stop, leaves its reason and its exit code in the
    output before it goes; the others, whose collectives then fail or whom the launcher stops, find
    them there.

    Raises:
        Stopped: another rank failed or is gone, or SIGTERM.
        Terminated: SIGTERM, to a process that trains alone.
    """
    heed_sigterm()
    if topology.world == 1:
        yield
        return
    path = output / FAILURE_NAME
    if topology.rank == 0:
        path.unlink(missing_ok=True)
    try:
        with _heard_in_a_collective(lambda: _told_to_stop(topology, path)):
            yield
    except ZooError as error:
        _leave(path, error.exit_code, f"rank {topology.rank}: {error.name}: {error}")
        raise
    except Terminated:
        raise _told_to_stop(topology, path) from None
    except (OSError, RuntimeError, SystemError) as error:  # what Paddle makes of all that happens
        if signal.SIGTERM in _asked_to_stop:
            raise _told_to_stop(topology, path) from None
        if _asked_to_stop:
            raise
        if isinstance(error, OSError):
            _leave(path, as_zoo_error(error, None).exit_code, f"rank {topology.rank}: {error}")
            raise
        if path.is_file() or any(word in _said(error).lower() for word in LOST):
            why = "stopped because another process of the job is gone"
            raise _stopped(topology, path, CheckError.exit_code, why) from error
        _leave(path, 1, f"rank {topology.rank}: {error}")
        raise


def heed_sigterm() -> None:
    """From now on SIGTERM raises Terminated; call it when Paddle, which sets signals of its own, is
    imported."""
    _asked_to_stop.clear()
    signal.signal(signal.SIGTERM, _terminate)
    signal.signal(signal.SIGINT, _interrupt)


@contextmanager
def _heard_in_a_collective(error: Callable[[], Stopped]) -> Iterator[None]:
    """SIGTERM is answered even if this rank waits for another one in Paddle's C++, from where it
    does not come back to Python, whose handlers run between two of its instructions.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    heard = threading.Event()
    _heard.append(heard)

    def answer() -> None:
        while number := os.read(reader, 1):
            if number[0] == signal.SIGTERM and not heard.wait(PATIENCE):
                os._exit(_report(error()))
        os.close(reader)

    threading.Thread(target=answer, daemon=True).start()
    try:
        yield
    finally:
        _heard.remove(heard)
        heard.set()  # whatever came, it has led out of here
        signal.set_wakeup_fd(before)
        os.close(writer)


def _said(error: BaseException | None) -> str:
    """What an error and those that led to it say: a failure in a hook comes wrapped."""
    return "" if error is None else f"{error} {_said(error.__cause__ or error.__context__)}"


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    for heard in _heard:
        heard.set()
    _asked_to_stop.append(number)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # the launcher says it three times
    raise Terminated


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    _asked_to_stop.append(number)
    raise KeyboardInterrupt


def _told_to_stop(topology: Topology, path: Path) -> Stopped:
    stopped = _stopped(topology, path, SIGTERM_CODE, TOLD)
    _leave(path, SIGTERM_CODE, f"rank {topology.rank}, which {TOLD}")
    return stopped


def _stopped(topology: Topology, path: Path, code: int, why: str) -> Stopped:
    """``code`` and ``why`` are for where no rank has left a reason."""
    if path.is_file():
        left, _, reason = path.read_text(encoding="utf-8").partition(" ")
        if left.isdecimal():  # it is all written
            return Stopped(
                f"rank {topology.rank} stopped with the job, because of {reason}", code=int(left)
            )
    return Stopped(
        f"rank {topology.rank} {why}",
        code=code,
        remedy="Its log, workerlog.N in the launcher's --log_dir, may say why. The checkpoints are "
        "whole: --resume_from_checkpoint True goes on.",
    )


def _leave(path: Path, code: int, reason: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{code} {reason}")
    except OSError:  # another rank was first, or the disk is what failed
        pass
