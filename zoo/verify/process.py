"""One framework, one process: started with a request, watched by its progress lines.

A child writes JSON lines to stdout, ``{"stage": ..., "done": i, "of": n}``, with a ``note``
where there is more to say; what another stage has done is counted anew. ``{"say": ...}`` is a word
that stays, and ``{"environment": {...}}`` comes at its end. A failure that the user can act on is
one line on stderr, ``zoo: NAME: what``, and its exit code.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import msgspec

from zoo.errors import DatasetError, NotFoundError, UsageError, ZooError
from zoo.talk import Talk

Request = TypeVar("Request")
_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>


class ProcessError(ZooError):
    """A child process ended with an error of its own."""

    name = "PROCESS"


def run_child(module: str, request: Mapping[str, Any], label: str, talk: Talk) -> dict[str, Any]:
    """Runs ``python -m module REQUEST.json`` to its end.

    Args:
        module: the child's module.
        request: what it is asked, as JSON.
        label: what people see while it runs.
        talk: where they see it.

    Returns:
        What it said of itself: the last line with ``environment``.

    Raises:
        NotFoundError: a library that the child needs is not installed.
        DatasetError: its data set is not what it should be.
        ProcessError: it failed; the message is its own.
    """
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder, _shown(label, talk) as show:
        path = Path(folder) / "request.json"
        path.write_text(json.dumps(dict(request)))
        errors = Path(folder) / "stderr"
        environment: dict[str, Any] = {}
        with errors.open("wb") as sink, _started(module, path, sink) as child:
            try:
                assert child.stdout is not None
                for line in child.stdout:
                    message = _message(line)
                    environment = message.get("environment", environment)
                    if "say" in message:
                        talk.say(message["say"])
                    if message.get("of"):
                        show(message)
                code = child.wait()
            except BaseException:
                child.kill()
                raise
        if code:
            raise _failure(module, code, errors.read_text(errors="replace"))
        return environment


@contextmanager
def _shown(label: str, talk: Talk) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Shows progress lines: a stage counts other items than the one before, and begins at 0."""
    stage, shown = None, 0
    with ExitStack() as stack:
        advance = stack.enter_context(talk.progress(label, 100, unit="%"))

        def show(message: Mapping[str, Any]) -> None:
            nonlocal stage, shown, advance
            if stage not in (None, message["stage"]):
                stack.close()
                advance, shown = stack.enter_context(talk.progress(label, 100, unit="%")), 0
            stage = message["stage"]
            percent = 100 * message["done"] // message["of"]
            advance(max(0, percent - shown), message.get("note", ""))
            shown = max(shown, percent)

        yield show


def _started(module: str, request: Path, errors: IO[bytes]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, str(request)],
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )


def _message(line: str) -> dict[str, Any]:
    """A progress line; what a library prints by itself is none."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _failure(module: str, code: int, errors: str) -> ZooError:
    lines = [line for line in errors.strip().splitlines() if line.strip()]
    ours = [line for line in lines if line.startswith("zoo: ")]
    text = ours[-1].removeprefix("zoo: ") if ours else "\n".join(lines[-3:]) or "it said nothing"
    if code == NotFoundError.exit_code:
        return NotFoundError(text.removeprefix("NOTFOUND: "))
    if text.startswith(f"{DatasetError.name}: "):
        return DatasetError(text.removeprefix(f"{DatasetError.name}: "))
    return ProcessError(f"{module} ended with code {code}: {text}")


def answer(
    arguments: list[str], kind: type[Request], work: Callable[[Request], Mapping[str, Any]]
) -> int:
    """The child's side: reads its request, works, tells its environment; returns the exit code.

    Args:
        arguments: the child's, which are the request's path.
        kind: what the request is.
        work: answers the request, and returns the environment.
    """
    _end_with_parent()
    try:
        if len(arguments) != 1:
            raise UsageError("one argument is expected: the request's path")
        request = msgspec.json.decode(Path(arguments[0]).read_bytes(), type=kind)
        print(json.dumps({"environment": dict(work(request))}), flush=True)
    except ZooError as error:
        print(f"zoo: {error.name}: " + str(error).replace("\n", ". "), file=sys.stderr)
        return error.exit_code
    return 0


def tell(stage: str, done: int, of: int, note: str = "") -> None:
    """The child's side: a progress line."""
    print(json.dumps({"stage": stage, "done": done, "of": of, "note": note}), flush=True)


def say(text: str) -> None:
    """The child's side: a word for people."""
    print(json.dumps({"say": text}), flush=True)


def _end_with_parent() -> None:
    """Asks Linux to end this process with the one that started it, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
