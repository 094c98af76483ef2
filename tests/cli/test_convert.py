from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.folders import CHECKPOINT, contents, names
from zoo.convert import provenance
from zoo.spec import native

Run = Callable[..., Any]
Small = Any  # tests/conftest.py's
G14 = "CLIP-ViT-g-14-laion2B-s34B-b88K"


def test_stdout_is_the_folder_and_nothing_else(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("convert", "./in", "--out", "out")
    assert (ran.code, ran.stdout) == (0, "out\n")
    assert ran.stderr == "in: open_clip, 94 tensors, 917.2 kB\n"
    assert names(here) == ["in", "out"]
    assert names(here / "out") == CHECKPOINT


def test_quiet_says_nothing(run_zoo: Run, here: Path) -> None:
    assert run_zoo("convert", "./in", "--out", "out", "-q") == (0, "out\n", "")


def test_json_is_one_document(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("convert", "./in", "--out", "out", "--json")
    assert ran.code == 0
    document = json.loads(ran.stdout)
    assert (document["schema_version"], document["folders"]) == (1, ["out"])


def test_without_out_it_goes_into_the_cache(run_zoo: Run, here: Path, zoo_home: Path) -> None:
    folder = Path(run_zoo("convert", "./in", "--id", "my/model").stdout.strip())
    assert folder.parent == zoo_home / "models" / "my" / "model"
    assert names(folder) == CHECKPOINT
    again = run_zoo("convert", "./in", "--id", "my/model")
    assert (again.code, again.stdout) == (0, f"{folder}\n")
    assert "converted already" in again.stderr


def test_several_go_into_the_cache_past_failures(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("convert", "./in", "./nothing", "tiny-digits")
    assert ran.code == 6
    assert [Path(line).parent.name for line in ran.stdout.splitlines()] == ["in", "tiny-digits"]
    assert "NOTFOUND" in ran.stderr
    quiet = run_zoo("convert", "./in", "./nothing", "-q")
    said = "./nothing: NOTFOUND: there is no such file or folder (nothing)\nIt was looked for at "
    assert quiet.stderr.startswith(said) and quiet.stderr.count("\n") == 2
    document = json.loads(run_zoo("convert", "./in", "./nothing", "--json").stdout)
    assert document["failed"] == {"./nothing": "NOTFOUND"}


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_the_same_command_gives_the_same_bytes(run_zoo: Run, here: Path, dtype: str) -> None:
    command = ("convert", "./in", "--dtype", dtype, "--out", "out", "--force")
    assert run_zoo(*command).code == 0
    first = contents(here / "out")
    assert run_zoo(*command).code == 0
    assert contents(here / "out") == first
    record = provenance.read(here / "out")
    assert record.command == ["zoo", *command]
    assert {about.dtype for about in record.tensors.values()} == {dtype}


def test_shards_are_at_most_of_the_size_asked_for(run_zoo: Run, here: Path) -> None:
    assert run_zoo("convert", "./in", "--out", "out", "--max-shard-size", "100KB").code == 0
    shards = sorted((here / "out").glob("model-*.safetensors"))
    assert len(shards) > 3
    assert all(shard.stat().st_size < 100_000 + 8_000 for shard in shards)  # header included
    assert (here / "out" / "model.safetensors.index.json").is_file()


def test_bare_weights_take_arch(run_zoo: Run, here: Path) -> None:
    config = (here / "in" / "open_clip_config.json").rename(here / "arch.json")
    ran = run_zoo("convert", "./in/open_clip_model.safetensors", "--out", "out")
    assert (ran.code, ran.stdout) == (2, "")
    assert "no open_clip_config.json beside it" in ran.stderr
    assert "--arch ViT-B-32" in ran.stderr
    command = ("convert", "./in/open_clip_model.safetensors", "--out", "out", "--arch")
    assert run_zoo(*command, config.name).code == 0
    assert native.read(here / "out" / "config.json").embed_dim == 48
    ran = run_zoo(*command, "ViT-B-32", "--force")
    assert ran.code == 4
    assert "missing: 'visual.transformer.resblocks.3" in ran.stderr
    ran = run_zoo(*command, "ViT-B32", "--force")
    assert (ran.code, "Did you mean: ViT-B-32" in ran.stderr) == (4, True)


def test_without_a_terminal_no_progress_is_drawn(here: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "zoo", "convert", "./in", "--out", "out"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("out\n", "in: open_clip, 94 tensors, 917.2 kB\n")
