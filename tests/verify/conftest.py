"""What the ladder's tests climb with: the bundled checkpoint, converted once."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from zoo.convert import provenance
from zoo.convert.select import open_source
from zoo.talk import Silence
from zoo.verify.bench import Bench


@pytest.fixture
def converted(converted_once: Path, tmp_path: Path) -> Path:
    """A converted checkpoint of the test's own, to do harm to."""
    return shutil.copytree(converted_once, tmp_path / "tiny")


@pytest.fixture
def make_bench(tiny: Path, tmp_path: Path) -> Iterator[Callable[[Path], Bench]]:
    """A bench for a converted folder, with its source at hand."""
    with ExitStack() as stack:

        def make(folder: Path) -> Bench:
            source = open_source(tiny)
            stack.enter_context(source.checkpoint)
            (tmp_path / "work").mkdir()
            bench = Bench(
                folder,
                record=provenance.read(folder),
                source=source,
                manifest=None,
                work=tmp_path / "work",
                talk=Silence(),
            )
            stack.callback(bench.close)
            return bench

        yield make


# A module run as a program that kills itself behind the line in which so many items are done: from
# outside, a quick one would have ended before the signal comes.
DOOMED = """
import json, os, runpy, signal, sys
module, done, write = sys.argv[1], int(sys.argv[2]), sys.stdout.write
def watched(text):
    write(text)
    message = json.loads(text) if text.startswith("{") else {}
    if message.get("stage") == "predict" and message["done"] >= done:
        os.kill(os.getpid(), signal.SIGKILL)
sys.stdout.write = watched
del sys.argv[1:3]
runpy.run_module(module, run_name="__main__")
"""


class Child:
    """A process of the ladder's that a test kills."""

    def __init__(self, words: list[str]) -> None:
        words = [sys.executable, "-W", "error", *words]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def wait_for(self, done: int) -> None:
        """Until so many items are done."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("stage") == "predict" and message["done"] >= done:
                return
        raise AssertionError("it ended before that")

    def kill(self) -> None:
        self.process.kill()
        self.wait_killed()

    def wait_killed(self) -> None:
        assert self.process.stdout is not None
        self.process.communicate()
        assert self.process.returncode == -signal.SIGKILL


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str, msgspec.Struct], Child]:
    """Starts ``python -m MODULE REQUEST.json``."""

    def go(module: str, request: msgspec.Struct) -> Child:
        return Child(["-m", module, _written(request, tmp_path)])

    return go


@pytest.fixture
def kill_after(tmp_path: Path) -> Callable[[str, msgspec.Struct, int], None]:
    """Runs ``python -m MODULE REQUEST.json`` until so many items are done, and kills it."""

    def go(module: str, request: msgspec.Struct, done: int) -> None:
        Child(["-c", DOOMED, module, str(done), _written(request, tmp_path)]).wait_killed()

    return go


def _written(request: msgspec.Struct, folder: Path) -> str:
    path = folder / "request.json"
    path.write_bytes(msgspec.json.encode(request))
    return str(path)
