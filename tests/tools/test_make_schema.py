from __future__ import annotations

import runpy
from pathlib import Path

TOOL = Path(__file__).resolve().parents[2] / "tools" / "make_schema.py"


def test_the_schema_in_the_repository_is_the_dataclasses() -> None:
    tool = runpy.run_path(str(TOOL))
    assert tool["SCHEMA"].read_text() == tool["render"](), "run: python tools/make_schema.py"
