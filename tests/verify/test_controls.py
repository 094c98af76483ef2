"""Every negative control is caught by the rung that is there for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.talk import Silence
from zoo.verify.bench import Bench
from zoo.verify.controls import CONTROLS, self_test
from zoo.verify.ladder import climb
from zoo.verify.outcome import failed

pytestmark = pytest.mark.paddle


@pytest.mark.usefixtures("without_open_clip")
def test_the_ladder_and_its_controls_on_goldens(
    converted: Path, make_bench: Callable[[Path], Bench]
) -> None:
    bench = make_bench(converted)
    outcomes = climb(bench, "pipeline")
    statuses = {name: outcome.status for name, outcome in outcomes.items()}
    assert list(statuses.values()) == [*["pass"] * 5, "not run"], outcomes
    assert bench.environment["reference"]["kind"] == "goldens"

    caught = {control.name: control for control in self_test(bench, outcomes, Silence())}
    assert len(caught) == len(CONTROLS) == 7
    for control in CONTROLS:
        result = caught[control.name]
        assert result.caught, control.name
        # An error this far outside can't be one of rounding.
        assert result.factor is None or result.factor > 10, control.name
        assert (result.factor is None) == (control.rung != "parity")
    assert "model.safetensors" in caught["one flipped bit"].reason
    assert "visual.embed" in caught["epsilon 1e-6"].reason  # the first norm there is
    assert "visual.block.0" in caught["the other activation"].reason

    # A check that fails on the right input shows nothing by failing on a wrong one.
    broken = outcomes | {"parity": failed("outside the band"), "pipeline": failed("unequal")}
    results = self_test(bench, broken, Silence())
    assert [control.caught for control in results] == [*[None] * 6, True]
    assert results[0].reason == "parity fails without the mistake, too"
