"""The fuzzer's targets, without the fuzzer: seeds, old finds, and damage by hypothesis.

Whatever a target raises beside a ZooError is a find; ``make fuzz`` looks for them at length.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.seeds import seeds
from fuzz.targets import TARGETS
from zoo.errors import ZooError

FINDS = Path(__file__).parents[2] / "fuzz" / "finds"
SEEDS = seeds()


def run(target: str, folder: Path, content: bytes) -> None:
    path = folder / "input"
    path.write_bytes(content)
    TARGETS[target](path)


@pytest.mark.parametrize("target", TARGETS)
def test_seeds_are_good(tmp_path: Path, target: str) -> None:
    assert SEEDS[target]
    for content in SEEDS[target]:
        run(target, tmp_path, content)


def test_finds_stay_mended(tmp_path: Path) -> None:
    for find in FINDS.glob("*/*"):
        with suppress(ZooError):
            run(find.parent.name, tmp_path, find.read_bytes())


@st.composite
def damaged(draw: st.DrawFn, target: str) -> bytes:
    """A seed with a few parts cut out, put in, doubled or replaced."""
    content = draw(st.sampled_from(SEEDS[target]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 12)))
        part = draw(st.binary(max_size=12) | st.just(content[start:end] * 2))
        content = content[:start] + part + content[end:]
    return content


@pytest.mark.parametrize("target", TARGETS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damage_is_told_or_harmless(tmp_path: Path, target: str, data: st.DataObject) -> None:
    content = data.draw(damaged(target))
    with suppress(ZooError):
        run(target, tmp_path, content)
