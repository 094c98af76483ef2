"""Pictures that are odd are read, and those that can't be read are counted and fail the rung."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_inputs.pictures import PICTURES
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

READ = {name: row for name, row in PICTURES.items() if row.code == 0}
REFUSED = {name: row for name, row in PICTURES.items() if row.code}


@pytest.fixture
def verify(
    tmp_path: Path, run_zoo: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, dict[str, object]]]:
    """Classifies the pictures of all rows: the exit code, and what the rung has found."""
    monkeypatch.setattr("zoo.verify.reference_side._installed", lambda: False)

    def run(*more: str) -> tuple[int, dict[str, object]]:
        folder = tmp_path / "data" / "odd" / "pictures"
        folder.mkdir(parents=True)
        for name, row in PICTURES.items():
            (folder / f"{name}.{row.suffix}").write_bytes(row.file())
        (folder.parent / "classes.json").write_text(json.dumps({"pictures": "picture"}))
        (folder.parent / "templates.json").write_text('["a {}"]')
        words = ("verify", "tiny-digits", "--zero-shot", "--data", folder.parent, "--json", *more)
        ran = run_zoo(*words)
        assert "Traceback" not in ran.stderr  # type: ignore[attr-defined]
        rung = json.loads(ran.stdout)["results"][0]["evidence"]["rungs"][-1]  # type: ignore[attr-defined]
        return ran.code, rung  # type: ignore[attr-defined]

    return run


def test_each_that_cannot_be_read_is_counted_and_named(
    verify: Callable[..., tuple[int, dict[str, object]]],
) -> None:
    code, rung = verify()
    assert all(code == row.code for row in REFUSED.values()) and rung["status"] == "fail"
    told = {name.split("/")[-1]: problem for name, problem in rung["figures"]["unreadable images"]}  # type: ignore[index]
    assert set(told) == {f"{name}.{row.suffix}" for name, row in REFUSED.items()}
    for name, row in REFUSED.items():
        assert told[f"{name}.{row.suffix}"].startswith(row.says[0])
    assert rung["figures"]["images"] == len(READ)  # type: ignore[index]


def test_odd_pictures_are_read_and_the_others_may_be_allowed(
    verify: Callable[..., tuple[int, dict[str, object]]],
) -> None:
    code, rung = verify("--allow-unreadable")
    assert all(code == row.code for row in READ.values()) and rung["status"] == "pass"
    assert rung["figures"]["images"] == len(READ)  # type: ignore[index]
    assert rung["figures"]["unreadable"] == len(REFUSED)  # type: ignore[index]
