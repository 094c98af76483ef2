from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from zoo import data

pytestmark = pytest.mark.reference

SCRIPT = Path(__file__).parents[2] / "tools" / "make_imagenet_prompts.py"


def test_data_is_what_the_script_writes() -> None:
    script = runpy.run_path(str(SCRIPT))
    for name, strings in script["imagenet_prompts"]().items():
        assert data.path(name).read_text(encoding="utf-8") == script["render"](strings)
