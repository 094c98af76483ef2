"""What takes its time on first use is told, by whatever command it is met."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.paddle
Run = Callable[..., Any]
TOLD = "tiny-digits: writing programs of Paddle Inference"


def test_embed_tells_that_programs_are_written_and_is_silent_when_asked_to(
    run_zoo: Run, converted_once: Path, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("a zero\n")
    words = ("embed", converted_once, "--texts", tmp_path / "texts.txt", "--force", "--out")
    first = run_zoo(*words, tmp_path / "out")
    assert first.code == 0 and first.stderr.count(TOLD) == 1
    again = run_zoo(*words, tmp_path / "out")
    assert again.code == 0 and TOLD not in again.stderr
    assert run_zoo("cache", "rm", "tiny-digits").code == 0
    quiet = run_zoo(*words, tmp_path / "out", "-q")
    assert (quiet.code, quiet.stderr) == (0, "")


def test_verify_tells_it_too(run_zoo: Run) -> None:
    ran = run_zoo("verify", "tiny-digits", "--zero-shot")
    assert ran.code == 0 and ran.stderr.count(TOLD) == 1
