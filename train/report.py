"""What people watch: a line now and then, a JSON-lines log, TensorBoard, VisualDL, a plot."""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Protocol

from train.flags import Arguments
from train.plot import plot_curves
from zoo.errors import missing_library
from zoo.files import write_atomic

LOG_NAME, PLOT_NAME = "log.jsonl", "loss.svg"
ERASE = "\r\x1b[K"  # back to the line's start, and what is there away


class Writer(Protocol):
    """What TensorBoard's and VisualDL's writers have in common."""

    def add_scalar(self, name: str, value: float, step: int, /) -> object: ...

    def close(self) -> None: ...


def tell(text: str) -> None:
    """A line on stderr; on a terminal in place of the one that is redrawn at every step."""
    erase = ERASE if sys.stderr.isatty() else ""
    print(f"{erase}{text}", file=sys.stderr, flush=True)


class Report(Protocol):
    """Where a run tells what it does; all ranks but the first have a silent one."""

    def say(self, text: str) -> None: ...

    def step(self, step: int, figures: dict[str, float], samples: int) -> None: ...

    def event(self, kind: str, step: int, figures: dict[str, Any]) -> None: ...

    def close(self) -> None: ...


class Nothing:
    """The silent one."""

    def say(self, text: str) -> None:
        pass

    def step(self, step: int, figures: dict[str, float], samples: int) -> None:
        pass

    def event(self, kind: str, step: int, figures: dict[str, Any]) -> None:
        pass

    def close(self) -> None:
        pass


class Words(Nothing):
    """Of a run that only checks: what was logged before stays."""

    def say(self, text: str) -> None:
        tell(text)


class Live:
    """The first rank's.

    Args:
        output: the run's folder.
        arguments: what to write, and how often.
        steps: of the whole run.
        done: steps of a run before; what the log has beyond them is dropped.
    """

    def __init__(self, output: Path, arguments: Arguments, *, steps: int, done: int) -> None:
        self._every = arguments.logging_steps
        self._first = arguments.logging_first_step
        self._redraw = sys.stderr.isatty() and not arguments.disable_tqdm
        self._steps = steps
        self._plot = output / PLOT_NAME
        self._writers = _writers(arguments, output)
        path = output / LOG_NAME
        self._curve = _keep_up_to(path, done)
        self._log = path.open("a", encoding="utf-8")
        self._began = self._last = time.monotonic()
        self._done = done
        self._samples = 0

    def say(self, text: str) -> None:
        tell(text)

    def step(self, step: int, figures: dict[str, float], samples: int) -> None:
        """``step`` steps are done, the last with these figures and on so many samples."""
        self._samples += samples
        whole = step % self._every == 0 or step == self._steps or (step == 1 and self._first)
        if whole:
            tell(self._line(step, figures))
        elif self._redraw:
            fits = shutil.get_terminal_size().columns - 1  # what wraps is not erased
            print(f"{ERASE}{self._line(step, figures)[:fits]}", end="", file=sys.stderr, flush=True)
        if whole:
            now = time.monotonic()
            figures = figures | {"images_per_second": self._samples / (now - self._last)}
            self._last, self._samples = now, 0
            self._write({"step": step, **figures})
            self._curve.append((step, figures["loss"]))
            for writer in self._writers:
                for name, value in figures.items():
                    writer.add_scalar(f"train/{name}", value, step)

    def event(self, kind: str, step: int, figures: dict[str, Any]) -> None:
        """Anything but a step: a checkpoint, an evaluation, a bad sample."""
        told = ", ".join(f"{name} {value}" for name, value in figures.items())
        self.say(f"step {step}: {kind}: {told}")
        self._write({"event": kind, "step": step, **figures})
        for writer in self._writers:
            for name, value in figures.items():
                if isinstance(value, float):
                    writer.add_scalar(f"{kind}/{name}", value, step)

    def close(self) -> None:
        self._log.close()
        for writer in self._writers:
            writer.close()
        if self._curve:
            svg = plot_curves({"loss": self._curve}, label="loss over steps")
            write_atomic(self._plot, svg.encode())

    def _line(self, step: int, figures: dict[str, float]) -> str:
        now = time.monotonic()
        rate = self._samples / max(now - self._last, 1e-9)
        left = (now - self._began) / (step - self._done) * (self._steps - step)
        return (
            f"step {step}/{self._steps}  loss {figures['loss']:.4f}  "
            f"lr {figures['learning_rate']:.3g}  grad {figures['gradient_norm']:.3g}  "
            f"scale {figures['logit_scale']:.4g}  {rate:.0f} images/s  {_clock(left)} left"
        )

    def _write(self, entry: dict[str, Any]) -> None:
        whole = {k: None if v in (math.inf, -math.inf) or v != v else v for k, v in entry.items()}
        self._log.write(json.dumps(whole, allow_nan=False) + "\n")
        self._log.flush()


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}"


def _keep_up_to(path: Path, step: int) -> list[tuple[int, float]]:
    """Drops what a log says of steps after ``step``, and a line that a full disk or a power failure
    left unfinished; returns the losses that are left."""
    lines = path.read_bytes().splitlines() if step and path.is_file() else []
    entries = [entry for line in lines for entry in _entry(line)]
    kept = [entry for entry in entries if entry["step"] <= step]
    write_atomic(path, "".join(json.dumps(entry) + "\n" for entry in kept).encode())
    return [(entry["step"], entry["loss"]) for entry in kept if "loss" in entry]


def _entry(line: bytes) -> list[dict[str, Any]]:
    try:
        return [json.loads(line)]
    except ValueError:
        return []


def _writers(arguments: Arguments, output: Path) -> list[Writer]:
    """Those of the libraries asked for."""
    folder = arguments.logging_dir or str(output / "runs")
    writers: list[Writer] = []
    if arguments.tensorboard or arguments.report_to == "tensorboard":
        try:
            from tensorboard.summary import Writer as SummaryWriter
        except ModuleNotFoundError as error:
            raise missing_library("tensorboard", "train", "--tensorboard") from error
        writers.append(SummaryWriter(folder))
    if arguments.report_to == "visualdl":
        try:
            from visualdl import LogWriter
        except ModuleNotFoundError as error:
            raise missing_library("visualdl", "train", "--report_to visualdl") from error
        writers.append(LogWriter(folder))
    return writers
