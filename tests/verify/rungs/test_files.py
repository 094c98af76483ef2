"""Rung 1 finds every change of a file, and names the file."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from zoo.files import leftovers
from zoo.talk import Silence
from zoo.verify.rungs.files import check_files


def flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


def test_what_was_written_passes(converted: Path) -> None:
    outcome = check_files(converted, Silence())
    assert outcome.status == "pass"
    assert outcome.figures == {"files": 3, "damaged": 0}


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "provenance.json"])
def test_any_flipped_bit_is_found_and_its_file_named(converted: Path, name: str) -> None:
    path = converted / name
    bits = 8 * path.stat().st_size
    for bit in [0, bits - 1, *random.Random(name).sample(range(bits), 20)]:
        flip(path, bit)
        outcome = check_files(converted, Silence())
        assert outcome.status == "fail" and outcome.reason is not None
        assert name in outcome.reason, bit
        flip(path, bit)
    assert check_files(converted, Silence()).status == "pass"


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda folder: (folder / "config.json").unlink(), "config.json is missing"),
        (lambda folder: (folder / "extra.txt").write_text(""), "extra.txt does not belong here"),
        (lambda folder: (folder / "evidence.json").write_text("{}"), "evidence.json: not evidence"),
        (lambda folder: (folder / "provenance.json").unlink(), "no provenance.json"),
    ],
)
def test_harm_is_named(converted: Path, harm, word: str) -> None:  # type: ignore[no-untyped-def]
    harm(converted)
    outcome = check_files(converted, Silence())
    assert outcome.status == "fail" and word in str(outcome.reason)


def test_what_a_killed_run_left_is_no_harm(converted: Path) -> None:
    for name in leftovers("evidence.json"):
        (converted / name).write_text("half")
    assert check_files(converted, Silence()).status == "pass"
