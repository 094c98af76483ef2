"""``zoo doctor`` shows what is there and what is missing for what."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from zoo.speed import measure as measuring
from zoo.speed.measure import Figure, Speed


def test_the_document(run_zoo, zoo_home) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("doctor", "--json")
    document = json.loads(ran.stdout)
    assert ran.code == 0 and document["schema_version"] == 1
    assert document["cache"]["folder"] == str(zoo_home) and document["cache"]["free_bytes"] > 0
    names = {setting["name"] for setting in document["runtime"]["settings"]}
    assert {"OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE"} <= names


def test_a_users_setting_is_shown_as_the_users(run_zoo, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "3")
    settings = json.loads(run_zoo("doctor", "--json").stdout)["runtime"]["settings"]
    (mkl,) = (setting for setting in settings if setting["name"] == "MKL_DEBUG_CPU_TYPE")
    assert (mkl["value"], mkl["origin"]) == ("3", "user")


def test_a_missing_library_names_its_extra(run_zoo, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    import importlib.util

    real = importlib.util.find_spec
    hidden = {"open_clip"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in hidden else real(name)
    )
    ran = run_zoo("doctor")
    assert "missing" in ran.stdout and "paddle-clip-zoo[reference]" in ran.stdout


def test_a_setting_s_name_is_whole_in_a_narrow_terminal(  # type: ignore[no-untyped-def]
    run_zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    shown = run_zoo("doctor").stdout
    for setting in json.loads(run_zoo("doctor", "--json").stdout)["runtime"]["settings"]:
        assert f"\n{setting['name']} " in shown


LOW = Figure(name="sha256", unit="GB/s", value=0.1, floor=0.8, remedy="Another Python.")
GOOD = Figure(name="memory copy", unit="GB/s", value=9.0, floor=2.0, remedy="Look for others.")
LOST = Figure(name="matrix product", unit="GFLOP/s", value=None, remedy="paddle is missing")


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets the measuring find these figures."""

    def find(*figures: Figure, others: float = 0.0) -> None:
        speed = Speed(figures=figures, others=others, cores=2)
        monkeypatch.setattr(measuring, "measure", lambda folder, runtime, told: speed)

    return find


def test_a_low_figure_is_said_with_what_to_do(run_zoo, measured) -> None:  # type: ignore[no-untyped-def]
    measured(LOW, GOOD)
    ran = run_zoo("doctor", "--bench")
    assert ran.code == 0 and "sha256: Another Python." in ran.stdout
    assert "Look for others." not in ran.stdout and "gives what it should" not in ran.stdout
    figures = ran.stdout[ran.stdout.index("\nsha256 ") :]
    assert max(map(len, figures.splitlines())) <= 80


def test_a_machine_that_gives_what_it_should(run_zoo, measured) -> None:  # type: ignore[no-untyped-def]
    measured(GOOD)
    assert "The machine gives what it should." in run_zoo("doctor", "--bench").stdout


def test_a_busy_machine_is_not_blamed(run_zoo, measured) -> None:  # type: ignore[no-untyped-def]
    measured(LOW, LOST, others=1.5)
    shown = run_zoo("doctor", "--bench").stdout
    assert "Others are at work on 1.5 of 2 cores" in shown and "Another Python." not in shown
    assert "matrix product: paddle is missing" in shown


def test_the_document_has_the_figures(run_zoo, measured) -> None:  # type: ignore[no-untyped-def]
    measured(LOW, GOOD)
    speed = json.loads(run_zoo("doctor", "--bench", "--json").stdout)["speed"]
    assert [figure["ok"] for figure in speed["figures"]] == [False, True]
    assert not speed["ok"] and not speed["busy"] and speed["cores"] == 2
    assert "speed" not in json.loads(run_zoo("doctor", "--json").stdout)
