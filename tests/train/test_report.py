"""The log, the line that people watch, and the plot."""

from __future__ import annotations

import importlib.util
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from train.flags import Arguments
from train.plot import plot_curves
from train.report import Live
from zoo.errors import NotFoundError

FIGURES = {"loss": 2.5, "learning_rate": 1e-3, "gradient_norm": 0.5, "logit_scale": 14.3}


def steps(output: Path) -> list[int]:
    return [json.loads(line)["step"] for line in (output / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--logging_steps", 2), [2, 4, 5]),  # the last step has a line in any case
        (("--logging_steps", 2, "--logging_first_step"), [1, 2, 4, 5]),
    ],
)
def test_lines_come_every_so_many_steps(
    arguments: Callable[..., Arguments],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: tuple[object, ...],
    expected: list[int],
) -> None:
    report = Live(tmp_path, arguments(*words), steps=5, done=0)
    for step in range(1, 6):
        report.step(step, FIGURES, 8)
    report.close()
    assert steps(tmp_path) == expected
    told = capsys.readouterr().err.splitlines()
    assert len(told) == len(expected)
    assert "loss 2.5000  lr 0.001  grad 0.5  scale 14.3" in told[0]
    assert told[-1].endswith("0:00:00 left")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(written: str) -> list[str]:
    """What a terminal shows of it."""
    lines, at = [""], 0
    for part in re.findall(r"\n|\r|\x1b\[K|[^\n\r\x1b]+", written):
        if part == "\n":
            lines.append("")
            at = 0
        elif part == "\r":
            at = 0
        elif part == "\x1b[K":
            lines[-1] = lines[-1][:at]
        else:
            lines[-1] = lines[-1][:at] + part + lines[-1][at + len(part) :]
            at += len(part)
    return lines[:-1]


def test_on_a_terminal_one_line_is_redrawn_and_nothing_is_left_of_it(
    arguments: Callable[..., Arguments], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    report = Live(tmp_path, arguments("--logging_steps", 4), steps=4, done=0)
    report.step(1, FIGURES | {"loss": 1000.0}, 8)
    report.step(2, FIGURES, 8)
    report.event("checkpoint", 2, {"folder": "x"})
    report.step(3, FIGURES, 8)
    report.step(4, FIGURES, 8)
    report.close()
    first, second = shown(terminal.getvalue())
    assert first == "step 2: checkpoint: folder x"
    assert second.startswith("step 4/4  loss 2.5000") and second.endswith("0:00:00 left")
    assert "step 1/4  loss 1000" in terminal.getvalue()


def test_a_line_that_is_redrawn_fits_the_terminal(
    arguments: Callable[..., Arguments], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr("sys.stderr", terminal := Terminal())
    report = Live(tmp_path, arguments("--logging_steps", 4), steps=4, done=0)
    report.step(1, FIGURES, 8)
    report.close()
    assert len(terminal.getvalue().split("\x1b[K")[-1]) == 39


def test_a_run_that_goes_on_drops_what_it_does_again(
    arguments: Callable[..., Arguments], tmp_path: Path
) -> None:
    for done, last in ((0, 5), (3, 6)):
        report = Live(tmp_path, arguments("--logging_steps", 1), steps=6, done=done)
        for step in range(done + 1, last + 1):
            report.step(step, FIGURES, 8)
        report.event("checkpoint", last, {"folder": "x"})
        report.close()
    assert steps(tmp_path) == [1, 2, 3, 4, 5, 6, 6]


def test_a_line_that_was_cut_off_is_dropped(
    arguments: Callable[..., Arguments], tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"step": 1, "loss": 0.5}\n{"step": 2, "lo')
    Live(tmp_path, arguments(), steps=4, done=2).close()
    assert path.read_text() == '{"step": 1, "loss": 0.5}\n'


@pytest.mark.parametrize(
    ("library", "words"),
    [("tensorboard", ("--tensorboard", "True")), ("visualdl", ("--report_to", "visualdl"))],
)
def test_a_library_that_is_missing_is_named_with_its_extra(
    arguments: Callable[..., Arguments],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    library: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.setitem(__import__("sys").modules, library, None)
    monkeypatch.setitem(__import__("sys").modules, f"{library}.summary", None)
    with pytest.raises(NotFoundError, match=rf"{library} is not installed[\s\S]*\[train\]"):
        Live(tmp_path, arguments(*words), steps=1, done=0)


def write(arguments: Arguments, output: Path) -> None:
    report = Live(output, arguments, steps=3, done=0)
    for step in range(1, 4):
        report.step(step, FIGURES | {"loss": 2.5 / step}, 8)
    report.event("zero-shot", 3, {"top1": 75.0, "label": "mine"})
    report.close()


LOSSES = [(1, 2.5), (2, 1.25), (3, pytest.approx(2.5 / 3, rel=1e-6))]


@pytest.mark.parametrize("words", [("--tensorboard",), ("--report_to", "tensorboard")])
def test_tensorboard_reads_what_was_written(
    arguments: Callable[..., Arguments], tmp_path: Path, words: tuple[str, ...]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    write(arguments(*words, "--logging_dir", tmp_path / "board", "--logging_steps", 1), tmp_path)
    found = EventAccumulator(str(tmp_path / "board")).Reload()
    assert {*found.Tags()["tensors"]} == {
        "zero-shot/top1",
        "train/images_per_second",
        *(f"train/{name}" for name in FIGURES),
    }

    def values(name: str) -> list[tuple[int, float]]:
        return [(e.step, float(e.tensor_proto.float_val[0])) for e in found.Tensors(name)]

    assert values("train/loss") == LOSSES
    assert values("zero-shot/top1") == [(3, 75.0)]


@pytest.mark.skipif(
    importlib.util.find_spec("visualdl") is None,
    reason="visualdl is not installed: it brings pandas and matplotlib (the extra `train`)",
)
def test_visualdl_reads_what_was_written(
    arguments: Callable[..., Arguments], tmp_path: Path
) -> None:
    from visualdl import LogReader

    write(arguments("--report_to", "visualdl", "--logging_steps", 1), tmp_path)
    (file,) = (tmp_path / "runs").iterdir()
    found = LogReader(file_path=str(file))
    losses = found.get_data("scalar", "train/loss")
    assert [(entry.id, entry.value) for entry in losses] == LOSSES
    (top1,) = found.get_data("scalar", "zero-shot/top1")
    assert (top1.id, top1.value) == (3, 75.0)


def test_the_plot_is_drawn_to_scale() -> None:
    svg = ElementTree.fromstring(plot_curves({"a": [(0, 1.0), (10, 3.0), (20, 2.0)]}, label="l<>"))
    (line,) = svg.iter("{http://www.w3.org/2000/svg}polyline")
    points = [tuple(map(float, pair.split(","))) for pair in line.get("points", "").split()]
    (left, bottom), (middle, top), (right, half) = points
    assert middle == pytest.approx((left + right) / 2, abs=0.1)
    assert half == pytest.approx((top + bottom) / 2, abs=0.1)
    assert top < half < bottom


def test_a_flat_curve_and_a_single_point_can_be_drawn() -> None:
    assert "<polyline" in plot_curves({"a": [(1, 2.0), (2, 2.0)]}, label="l")
    assert "<polyline" in plot_curves({"a": [(1, 2.0)]}, label="l")
