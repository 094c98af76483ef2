"""A home folder of somebody unknown is told, wherever a path may be given."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

NOBODY = "~nobody-at-all/x"


@pytest.mark.parametrize(
    "words",
    [
        ("convert", NOBODY),
        ("verify", NOBODY),
        ("verify", "tiny-digits", "--zero-shot", "--data", NOBODY),
        ("diff", NOBODY, "tiny-digits"),
        ("embed", NOBODY, "--images", "."),
        ("embed", "tiny-digits", "--images", NOBODY),
        ("cache", "rm", NOBODY),
    ],
    ids=lambda words: " ".join(words).replace(NOBODY, "~nobody"),
)
def test_nobody_s(words: tuple[str, ...], run_zoo: Callable[..., Any], tmp_path: Path) -> None:
    more = ("--out", tmp_path / "out") if words[0] == "embed" else ()
    ran = run_zoo(*words, *more)
    assert ran.code == 6, ran.stderr
    assert "no such home folder" in ran.stderr


def test_zoo_s_own(run_zoo: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", NOBODY)
    ran = run_zoo("cache", "ls")
    assert ran.code == 6 and "no such home folder" in ran.stderr
