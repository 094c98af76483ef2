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


class Child:
    """A process of the ladder's that a test kills."""

    def __init__(self, module: str, request: Path) -> None:
        words = [sys.executable, "-W", "error", "-m", module, str(request)]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)

    def wait_for(self, done: int) -> None:
        """Until so many items are done."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if json.loads(line).get("done", 0) >= done:
                return
        raise AssertionError("it ended before that")

    def kill(self) -> None:
        assert self.process.stdout is not None
        self.process.kill()
        assert self.process.wait() == -signal.SIGKILL
        self.process.stdout.close()

    def kill_after(self, done: int) -> None:
        self.wait_for(done)
        self.kill()


@pytest.fixture
def start(tmp_path: Path) -> Callable[[str, msgspec.Struct], Child]:
    """Starts ``python -m MODULE REQUEST.json``."""

    def go(module: str, request: msgspec.Struct) -> Child:
        path = tmp_path / "request.json"
        path.write_bytes(msgspec.json.encode(request))
        return Child(module, path)

    return go
