"""What stands on a failed rung does not run; what lacks something did not run."""

from __future__ import annotations

import pytest

from zoo.errors import CheckError, FormatError
from zoo.verify import ladder
from zoo.verify.bench import Unavailable
from zoo.verify.ladder import climb, number
from zoo.verify.outcome import Outcome, failed, passed


def climb_with(monkeypatch: pytest.MonkeyPatch, upto: str = "pipeline", **rungs: object):  # type: ignore[no-untyped-def]
    def rung(result: object):  # type: ignore[no-untyped-def]
        def run(_bench: object) -> Outcome:
            if isinstance(result, Exception):
                raise result
            assert isinstance(result, Outcome)
            return result

        return run

    table = {name: rung(rungs.get(name, passed({}))) for name in ladder.RUNGS}
    monkeypatch.setattr(ladder, "RUNGS", table)
    return climb(None, upto)  # type: ignore[arg-type]


def test_all_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = climb_with(monkeypatch)
    assert [o.status for o in outcomes.values()] == [*["pass"] * 5, "not run"]
    assert outcomes["zero-shot"].reason == "not asked for"


def test_upto(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = climb_with(monkeypatch, upto="structure")
    assert [o.status for o in outcomes.values()] == [*["pass"] * 2, *["not run"] * 4]


@pytest.mark.parametrize("broken", [failed("bad"), FormatError("bad"), CheckError("bad")])
def test_nothing_stands_on_a_failed_rung(monkeypatch: pytest.MonkeyPatch, broken: object) -> None:
    outcomes = climb_with(monkeypatch, structure=broken)
    assert outcomes["structure"].status == "fail"
    assert outcomes["roundtrip"].reason == "it stands on structure, which failed"
    assert outcomes["pipeline"].status == "not run"


def test_a_rung_that_lacks_something_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = climb_with(monkeypatch, roundtrip=Unavailable("no source"))
    assert outcomes["roundtrip"].status == "not run"
    assert outcomes["parity"].status == "pass"
    assert [rung.number for rung in number(outcomes)] == [1, 2, 3, 4, 5, 6]
