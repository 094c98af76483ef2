"""What work tells, in words that people read."""

from __future__ import annotations

import pytest

from zoo.talk import Within, shown_size


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_951, "1.0 MB"),
        (10_158_268_420, "10.16 GB"),
        (2_000_000_000_000, "2,000.00 GB"),
    ],
)
def test_sizes_have_the_unit_that_fits(nbytes: int, text: str) -> None:
    assert shown_size(nbytes) == text


def test_a_part_s_progress_is_a_note_of_the_whole_s() -> None:
    said, notes = list[str](), list[str]()
    talk = Within(said.append, notes.append)
    talk.say("a word")
    with talk.progress("writing", 8) as advance:
        advance(2)
        advance(4, "image")
    assert said == ["a word"]
    assert notes == ["writing", "writing 25 %", "writing 75 %, image"]
