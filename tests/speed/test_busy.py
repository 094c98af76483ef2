"""Others' work is seen, and an idle machine is idle."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.speed import busy

BEFORE = "cpu  100 0 100 1000 50 0 0 0 0 0\ncpu0 50 0 50 500 25 0 0 0\ncpu1 50 0 50 500 25 0 0 0\n"


@pytest.mark.parametrize(
    ("after", "cores"),
    [
        ("cpu  100 0 100 1060 50 0 0 0 0 0", 0.0),
        ("cpu  100 0 100 1030 80 0 0 0 0 0", 0.0),  # waiting for a disk
        ("cpu  120 0 110 1030 50 0 0 0 0 0", 1.0),
        ("cpu  100 0 100 1000 50 0 0 60 0 0", 2.0),  # taken by the hypervisor
        ("cpu  100 0 100 1000 50 0 0 0 0 0", 0.0),  # no tick yet
    ],
)
def test_cores_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str, cores: float
) -> None:
    path = tmp_path / "stat"
    path.write_text(BEFORE)
    later = after + BEFORE[BEFORE.index("\n") :]
    monkeypatch.setattr(busy.time, "sleep", lambda _: path.write_text(later))
    assert busy.cores_in_use(path=path) == pytest.approx(cores)


def test_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert busy.cores_in_use(0.0, tmp_path / "absent") == 0.0
