"""The command: what is kept, what a failure costs, how it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import benchmarks.__main__ as command
from benchmarks.bench import Bench
from benchmarks.results import Case, Target
from benchmarks.turns import TurnError
from benchmarks.works import NAMES, Work, find


def _cases(bench: Bench, model: str) -> Iterator[Case]:
    for batch in (1, 8):
        if (model, batch) == ("broken", 8):
            raise TurnError("its checkpoint can't be made")
        yield bench.race(
            f"{model}, batch {batch}",
            "images/s",
            {"zoo": lambda: 0.5, "peer": lambda: 1.0, "absent": TurnError("not installed")},
            ours={"zoo"},
            baseline="peer",
            targets=[Target(ours="zoo", over=["peer"], at_least=2)],
            rounds=2,
            against=f"batch, {model}",
            size=batch,
        )


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> None:
    def fake(name: str) -> Work:
        return Work(name, name.title(), "about", ("broken", "whole"), _cases)

    monkeypatch.setattr(command, "find", fake)


@pytest.mark.usefixtures("works")
def test_a_failure_costs_its_own_case_and_all_else_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["images", "--out", str(tmp_path)]) == 1
    (section,) = json.loads((tmp_path / "results.json").read_text())["sections"]
    titles = [case["title"] for case in section["cases"]]
    assert titles == ["broken, batch 1", "whole, batch 1", "whole, batch 8"]
    assert section["failed"] == {"broken": "its checkpoint can't be made"}
    page = (tmp_path / "RESULTS.md").read_text()
    assert "at least 2 × as fast as peer | 2 × |" in page and "not installed" in page
    shown = capsys.readouterr()
    assert "reached" in shown.out and "ended early: images" in shown.err


@pytest.mark.usefixtures("works")
def test_the_plot_is_an_svg_that_needs_no_network(tmp_path: Path) -> None:
    command.main(["images", "--models", "whole", "--out", str(tmp_path)])
    svg = (tmp_path / "results.svg").read_text()
    assert "<svg" in svg and "times as fast" in svg and "batch, whole" in svg
    outside = [part for part in svg.split('"') if part.startswith("http") and "w3.org" not in part]
    assert all("purl.org" in part or "creativecommons" in part for part in outside)


@pytest.mark.usefixtures("works")
def test_every_case_is_kept_when_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the process is killed: what it found before is on the disk."""

    def killed(bench: Bench, model: str) -> Iterator[Case]:
        yield next(_cases(bench, model))
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "find", lambda name: Work(name, name, "", ("whole",), killed))
    with pytest.raises(KeyboardInterrupt):
        command.main(["images", "--out", str(tmp_path)])
    (section,) = json.loads((tmp_path / "results.json").read_text())["sections"]
    assert [case["title"] for case in section["cases"]] == ["whole, batch 1"]
    assert "whole, batch 1" in (tmp_path / "RESULTS.md").read_text()


@pytest.mark.usefixtures("works")
def test_rounds_and_models_can_be_chosen(tmp_path: Path) -> None:
    words = ["images", "--models", "whole", "--rounds", "5", "--out", str(tmp_path)]
    assert command.main(words) == 0
    (section,) = json.loads((tmp_path / "results.json").read_text())["sections"]
    assert all(len(case["contestants"][0]["values"]) == 5 for case in section["cases"])


@pytest.mark.usefixtures("works")
def test_what_time_does_not_hold_is_said(tmp_path: Path) -> None:
    assert command.main(["images", "--minutes", "0", "--out", str(tmp_path)]) == 1
    (section,) = json.loads((tmp_path / "results.json").read_text())["sections"]
    assert section["failed"]["whole"] == "out of time before it began"


def test_results_of_another_version_are_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results.json"
    path.write_text('{"sections": [], "unknown": 1}')
    assert command.main(["startup", "--out", str(tmp_path)]) == 4
    assert "unknown" in capsys.readouterr().err and "unknown" in path.read_text()


def test_an_unknown_work_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        command.main(["imges"])
    assert stop.value.code == 2 and "imges" in capsys.readouterr().err


@pytest.mark.parametrize("name", NAMES)
def test_every_work_says_what_it_compares(name: str) -> None:
    work = find(name)
    assert work.title and len(work.about) > 50 and callable(work.cases)
