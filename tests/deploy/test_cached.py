"""Programs in the cache: written once, by one of several, and never another's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.deploy import cached, run
from zoo.errors import DiskError
from zoo.talk import Silence

pytestmark = pytest.mark.paddle


def test_they_are_written_once_for_all_they_depend_on(
    converted_once: Path, zoo_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write(folder: Path, out: Path, _talk: object) -> None:
        written.append(out)
        (out / "inference.json").write_text("{}")

    monkeypatch.setattr(cached, "write_programs", write)
    first = cached.programs_for(converted_once, Silence())
    assert first.parent == zoo_home / "programs" / "tiny-digits"
    assert cached.programs_for(converted_once, Silence()) == first
    assert len(written) == 1
    monkeypatch.setattr(cached, "code_digest", lambda: "another")
    second = cached.programs_for(converted_once, Silence())
    monkeypatch.setattr(cached, "_paddle", lambda: "9.9")
    third = cached.programs_for(converted_once, Silence())
    assert len({first, second, third}) == len(written) == 3


def test_a_failure_leaves_nothing(
    converted_once: Path, zoo_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_folder: Path, out: Path, _talk: object) -> None:
        (out / "image.json").write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cached, "write_programs", fail)
    with pytest.raises(DiskError):
        cached.programs_for(converted_once, Silence())
    left = [path for path in (zoo_home / "programs").rglob("*") if path.is_file()]
    assert left == []


def test_of_two_at_once_one_writes(converted_once: Path, zoo_home: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from zoo.talk import Silence\n"
        "from zoo.deploy import cached\n"
        "write = cached.write_programs\n"
        "cached.write_programs = lambda *a: (print('written'), write(*a))\n"
        "print(cached.programs_for(Path(sys.argv[1]), Silence()))\n"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(converted_once)],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "ZOO_HOME": str(zoo_home)},
        )
        for _ in range(2)
    ]
    said = [child.communicate()[0].split() for child in children]
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(map(len, said)) == [1, 2], "one of them wrote"
    assert said[0][-1] == said[1][-1]
    assert (Path(said[0][-1]) / "text.pdiparams").is_file()


def test_the_code_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = run.code_digest()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "block.py").write_text("other")
    monkeypatch.setattr(run, "_ZOO", tmp_path)
    run.code_digest.cache_clear()
    assert run.code_digest() != before
    run.code_digest.cache_clear()
