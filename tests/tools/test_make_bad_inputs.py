from __future__ import annotations

import re
from pathlib import Path

from tests.bad_inputs.rows import ROWS
from tools.make_bad_inputs import PAGE, render

TESTS = Path(__file__).parents[1]


def test_the_page_is_that_of_the_tables() -> None:
    assert PAGE.read_text() == render(), "run: python -m tools.make_bad_inputs"


def test_every_row_is_shown_by_a_test() -> None:
    text = "\n".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    used = set(re.findall(r"\brows\.([A-Z_]+)", text))
    assert used == ROWS.keys()
