"""Cases with figures that one can work out in one's head."""

from __future__ import annotations

import pytest

from benchmarks.results import Case, Contestant, Limit, Section, Target

ENVIRONMENT = {
    "processor": "a processor",
    "cores": 2,
    "packages": {"numpy": "2"},
    "commit": "abc",
}


@pytest.fixture
def case() -> Case:
    """zoo is 2, 4 and 3 times as fast as slow, and 0.8 to 1 times as fast as quick."""
    return Case(
        title="a model, batch 8",
        unit="images/s",
        baseline="slow",
        contestants=[
            Contestant(name="zoo", values=[0.5, 0.25, 0.5], ours=True, error=2e-7),
            Contestant(name="slow", values=[1.0, 1.0, 1.5]),
            Contestant(name="quick", values=[0.4, 0.25, 0.4]),
            Contestant(name="lost", failed="no | such library"),
        ],
        targets=[
            Target(ours="zoo", over=["slow"], at_least=2.5),
            Target(ours="zoo", over=["slow", "quick", "lost"], at_least=0.95),
            Target(ours="zoo", over=["slow"], at_most=0.4),
            Target(ours="zoo", over=["lost"], at_least=2.0),
        ],
        limits=[
            Limit(name="product", unit="GFLOP", values=[0.01, 0.02, 0.01]),
            Limit(name="a slower one", unit="GFLOP", values=[0.02]),
        ],
        amount=25.0,
        against="batch",
        size=8,
        environment=ENVIRONMENT,
    )


@pytest.fixture
def section(case: Case) -> Section:
    return Section(work="images", title="Images", about="What is compared.", cases=[case])
