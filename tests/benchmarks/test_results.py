"""Ratios, verdicts, and results that survive being written."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from benchmarks import results
from benchmarks.results import (
    Case,
    Contestant,
    Results,
    Section,
    Target,
    judge,
    ratio,
    share,
    speed,
)


def test_a_ratio_is_taken_round_by_round() -> None:
    assert ratio([1.0, 1.0, 1.5], [0.5, 0.25, 0.5]) == (3.0, 2.0, 4.0)


def test_a_drift_that_both_share_cancels_out() -> None:
    drift = [random.Random(0).uniform(1, 9) for _ in range(9)]
    found = ratio([2 * d for d in drift], drift)
    assert found == (2.0, 2.0, 2.0)


def test_speed_is_the_others_cost_over_ones_own(case: Case) -> None:
    assert speed(case, "zoo", "slow") == (3.0, 2.0, 4.0)
    assert speed(case, "zoo", "lost") is None


def test_each_target_has_its_verdict(case: Case) -> None:
    faster, equal, cheaper, nobody = (judge(case, target) for target in case.targets)
    assert faster and faster.reached and faster.ratio.middle == 3.0
    assert equal and not equal.reached  # 0.8 of the fastest: the one that failed does not count
    assert equal.over == "quick" and equal.ratio.middle == pytest.approx(0.8)
    assert cheaper and cheaper.reached and cheaper.ratio.middle == pytest.approx(1 / 3)
    assert nobody is None


@pytest.mark.parametrize(("wanted", "reached"), [(3.0, True), (3.01, False)])
def test_at_least_is_met_by_equality_and_missed_by_less(
    case: Case, wanted: float, reached: bool
) -> None:
    verdict = judge(case, Target(ours="zoo", over=["slow"], at_least=wanted))
    assert verdict and verdict.reached == reached


@pytest.mark.parametrize(("wanted", "reached"), [(0.5, True), (0.49, False)])
def test_a_cost_of_its_own(case: Case, wanted: float, reached: bool) -> None:
    verdict = judge(case, Target(ours="zoo", at_most=wanted))
    assert verdict and verdict.reached == reached and verdict.over is None


@pytest.mark.parametrize(("error", "reached"), [(4e-6, True), (4.1e-6, False)])
def test_an_error_may_be_twice_the_references(case: Case, error: float, reached: bool) -> None:
    case.find("zoo").error, case.find("slow").error = error, 2e-6
    verdict = judge(case, Target(ours="zoo", over=["slow"], in_band=True))
    assert verdict and verdict.reached == reached
    case.find("slow").error = None
    assert judge(case, Target(ours="zoo", over=["slow"], in_band=True)) is None


def test_a_reference_that_computed_something_else_gives_no_band(case: Case) -> None:
    case.find("zoo").error = case.find("slow").error = 0.4
    verdict = judge(case, Target(ours="zoo", over=["slow"], in_band=True))
    assert verdict and not verdict.reached


def test_the_share_of_the_limit(case: Case) -> None:
    # 25 GFLOP in half a second, where 100 a second are possible.
    assert share(case, "zoo") == pytest.approx(0.5)
    assert share(case, "lost") is None


def test_a_rate_is_shown_for_seconds(case: Case) -> None:
    assert case.shown(0.25) == 4.0
    assert msgspec.structs.replace(case, unit="ms").shown(0.25) == 250.0
    assert msgspec.structs.replace(case, unit="MB").shown(0.25) == 0.25


def test_what_is_written_is_read(tmp_path: Path, section: Section) -> None:
    path = tmp_path / "results.json"
    assert results.read(path) == Results()
    kept = Results(sections=[section])
    results.write(path, kept)
    assert results.read(path) == kept
    assert [entry.name for entry in tmp_path.iterdir()] == ["results.json"]


def test_a_case_replaces_its_older_self_and_no_other(section: Section, case: Case) -> None:
    kept = Results(sections=[section])
    other = Case(title="another", unit="s", contestants=[])
    newer = msgspec.structs.replace(case, contestants=[Contestant(name="zoo", values=[9.0])])
    kept.put(Section(work="load", title="", about=""))
    kept.put(msgspec.structs.replace(section, cases=[other]))
    kept.put(msgspec.structs.replace(section, cases=[newer]))
    assert [s.work for s in kept.sections] == ["images", "load"]
    assert [c.title for c in kept.sections[0].cases] == [case.title, "another"]
    assert kept.sections[0].cases[0].find("zoo").values == [9.0]
