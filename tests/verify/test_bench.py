"""What the rungs share is made once, and a failure too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from zoo.talk import Silence
from zoo.verify import bench as benches
from zoo.verify.bench import Bench, Unavailable
from zoo.verify.process import ProcessError


def test_a_reference_that_failed_is_not_tried_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tries = []

    def fail(*_: Any) -> None:
        tries.append(1)
        raise ProcessError("open_clip can't be imported")

    monkeypatch.setattr(benches, "compute_reference", fail)
    monkeypatch.setattr(Bench, "checkpoint", None)
    monkeypatch.setattr(Bench, "spec", None)
    monkeypatch.setattr(Bench, "record", None)
    bench = Bench(
        tmp_path, record=None, source="none", manifest=None, work=tmp_path, talk=Silence()
    )
    for _ in range(2):
        with pytest.raises(Unavailable, match="open_clip can't be imported"):
            bench.reference  # noqa: B018
    assert len(tries) == 1
