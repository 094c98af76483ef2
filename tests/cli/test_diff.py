from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

Run = Callable[..., Any]
Small = Any  # tests/conftest.py's


@pytest.fixture
def here(here: Path, monkeypatch: pytest.MonkeyPatch, run_zoo: Run) -> Path:
    """The working folder, with a checkpoint ``in`` and its conversions ``out`` and ``half``."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run_zoo("convert", "./in", "--out", "out").code == 0
    assert run_zoo("convert", "./in", "--out", "half", "--dtype", "float16").code == 0
    return here


def test_a_conversion_is_its_source_s_equal(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("diff", "./out", "./in")
    assert ran == (0, "94 tensors equal to the bit, 0 different\n", "")
    assert json.loads(run_zoo("diff", "./out", "./in", "--json").stdout) == {
        "schema_version": 1,
        "same": True,
        "equal": 94,
        "different": [],
        "only_a": [],
        "only_b": [],
    }


def test_a_cast_is_shown_as_one_and_is_exit_3(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("diff", "./in", "./half")
    assert (ran.code, ran.stderr) == (3, "")
    lines = ran.stdout.splitlines()
    assert all(line.rstrip().endswith("only a cast") for line in lines[1:21])
    different = 94 - int(lines[-1].split()[0])
    assert ran.stdout.endswith(f"{different} different ({different} by a cast alone)\n")
    assert f"and {different - 20} more; --json has all" in ran.stdout
    document = json.loads(run_zoo("diff", "./in", "./half", "--json").stdout)
    assert len(document["different"]) == different
    assert all(entry["only_cast"] for entry in document["different"])


def test_what_differs_most_comes_first(run_zoo: Run, here: Path, small: Small) -> None:
    changes = {
        name: small.tensors[name] + np.float32(by)
        for name, by in (("ln_final.bias", 0.5), ("ln_final.weight", 2.0))
    }
    small.save(here / "other", tensors=changes)
    ran = run_zoo("diff", "./in", "./other")
    assert ran.code == 3
    rows = [line.split()[:2] for line in ran.stdout.splitlines()[1:3]]
    assert rows == [["ln_final.weight", "2"], ["ln_final.bias", "0.5"]]


def test_names_are_whole_in_80_columns(run_zoo: Run, here: Path, small: Small) -> None:
    longest = max(small.tensors, key=len)
    small.save(here / "other", tensors={longest: small.tensors[longest] + np.float32(1)})
    lines = run_zoo("diff", "./in", "./other").stdout.splitlines()
    assert lines[1].split()[0] in (longest, longest.replace("in_proj_weight", "q_proj.weight"))
    assert max(map(len, lines)) <= 80


def test_values_that_are_no_numbers_are_shown_as_such(
    run_zoo: Run, here: Path, small: Small
) -> None:
    small.save(here / "other", tensors={"ln_final.bias": np.full(32, np.nan, np.float32)})
    ran = run_zoo("diff", "./in", "./other")
    assert ran.code == 3
    assert "NaN or infinite\n" in ran.stdout
    document = json.loads(run_zoo("diff", "./in", "./other", "--json").stdout)
    assert document["different"][0]["largest"] is None


def native(here: Path, name: str, tensors: dict[str, Any]) -> None:
    folder = here / name
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_bytes((here / "out" / "config.json").read_bytes())


def test_names_from_a_file_are_only_text(run_zoo: Run, here: Path) -> None:
    one, two = np.zeros(1, np.float32), np.ones(1, np.float32)
    native(here, "a", {"[/red]\x1b[31m": one, "shape": one, "only\x07": one})
    native(here, "b", {"[/red]\x1b[31m": two, "shape": np.zeros((2, 3), np.float32)})
    ran = run_zoo("diff", "./a", "./b")
    assert (ran.code, ran.stderr) == (3, "")
    assert "[/red]\\x1b[31m" in ran.stdout
    assert "[1] and [2, 3]" in ran.stdout
    assert "only in A: only\\x07\n" in ran.stdout
    assert all(c.isprintable() or c == "\n" for c in ran.stdout)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["./nothing", "./in"], 6, "zoo: NOTFOUND: "),
        (["./in", "./in/open_clip_config.json"], 4, "zoo: FORMAT: "),
        (["./in"], 2, "zoo: USAGE: "),
        (["./in", "./in", "--arch", "ViT-B-32"], 2, "--arch is for weights without one"),
    ],
)
def test_what_can_t_be_compared_is_told(
    run_zoo: Run, here: Path, argv: list[str], code: int, said: str
) -> None:
    ran = run_zoo("diff", *argv)
    assert (ran.code, ran.stdout) == (code, "")
    assert said in ran.stderr


def test_bare_weights_take_arch(run_zoo: Run, here: Path) -> None:
    (here / "in" / "open_clip_config.json").rename(here / "arch.json")
    weights = "./in/open_clip_model.safetensors"
    ran = run_zoo("diff", weights, weights, "--arch", "arch.json")
    assert (ran.code, ran.stdout) == (0, "94 tensors equal to the bit, 0 different\n")
