from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def here(small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a checkpoint ``in``."""
    folder = tmp_path / "here"
    small.save(folder / "in")
    monkeypatch.chdir(folder)
    return folder
