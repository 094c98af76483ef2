"""Every row of the tables: the command runs, says one clear thing, and loses nothing."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from tests.bad_inputs.sections import SECTIONS
from zoo import files

ALL = [
    pytest.param(case, id=f"{section.__name__.rpartition('.')[2]}-{name}")
    for section in SECTIONS
    for name, case in section.CASES.items()
]
CPU_SECONDS = 2.0  # of processor time, so that a busy machine does not count
WALL_SECONDS = 30.0  # and so that none waits for ever


def tree(folder: Path, *, without: str | None) -> dict[str, str]:
    """Every path but one under a folder, and a digest of what is there; no link is followed."""

    def content(path: Path) -> str:
        if path.is_symlink():
            return f"link to {path.readlink()}"
        if not path.is_file():
            return "no file"
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    paths = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: content(path) for name, path in paths.items() if name != without}


@pytest.mark.parametrize("case", ALL)
def test_a_bad_input(case, run_zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    at = tmp_path / "at"
    at.mkdir()
    with files.new_folder(at / "out", replace=False) as old:
        (old / "model.safetensors").write_bytes(b"old and good")
        (old / files.MARK).write_bytes(b"{}")
    case.make(at)
    for name, value in case.environment.items():
        monkeypatch.setenv(name, value)
    before = tree(at, without=case.leaves)
    cpu, wall = time.process_time(), time.monotonic()
    ran = run_zoo(*case.words(at))
    cpu, wall = time.process_time() - cpu, time.monotonic() - wall
    case.check(ran.code, ran.stderr)
    if case.name:
        assert tree(at, without=case.leaves) == before
    assert cpu < CPU_SECONDS and wall < WALL_SECONDS
