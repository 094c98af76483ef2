"""The fuzzer's targets, without the fuzzer: seeds, old finds, and damage by hypothesis.

Whatever a target raises beside a ZooError is a find; ``make fuzz`` looks for them at length.
"""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.mutators import MUTATORS, json_text, mutate
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


def another_byte(part: bytes) -> bytes:
    """Stands for libFuzzer's own mutation."""
    return part[:-1] + bytes([part[-1] ^ 1]) if part else b"a"


@pytest.mark.parametrize("target", TARGETS)
def test_damage_within_the_frame_is_told_or_harmless(tmp_path: Path, target: str) -> None:
    for number in range(300):
        draw = random.Random(number)
        content = draw.choice(SEEDS[target])
        for _ in range(draw.randint(1, 3)):
            content = mutate(target, content, draw, another_byte)
        with suppress(ZooError):
            run(target, tmp_path, content)


@pytest.mark.parametrize("target", TARGETS)
def test_the_frame_is_put_right(tmp_path: Path, target: str) -> None:
    """What a target says of a damaged part is not always the same, which a frame would be."""
    said = set()
    for number in range(100):
        draw = random.Random(number)
        seed = draw.choice(SEEDS[target])
        try:
            run(target, tmp_path, MUTATORS.get(target, json_text)(seed, draw, another_byte))
        except ZooError as error:
            said.add(str(error))
        except UnicodeEncodeError:  # a lone surrogate in a record, which is UTF-8
            pass
    assert len(said) >= 5
