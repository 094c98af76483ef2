from __future__ import annotations

import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.convert import provenance
from zoo.spec import native

Run = Callable[..., Any]
Small = Any  # tests/conftest.py's
G14 = "CLIP-ViT-g-14-laion2B-s34B-b88K"
NAMES = ["config.json", "model.safetensors", "provenance.json"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def here(small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a checkpoint ``in``."""
    folder = tmp_path / "here"
    small.save(folder / "in")
    monkeypatch.chdir(folder)
    return folder


def test_stdout_is_the_folder_and_nothing_else(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("convert", "./in", "--out", "out")
    assert (ran.code, ran.stdout) == (0, "out\n")
    assert ran.stderr == "in: open_clip, 94 tensors, 917.2 kB\n"
    assert names(here) == ["in", "out"]
    assert names(here / "out") == NAMES


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
    assert names(folder) == NAMES
    again = run_zoo("convert", "./in", "--id", "my/model")
    assert (again.code, again.stdout) == (0, f"{folder}\n")
    assert "converted already" in again.stderr


def test_several_go_into_the_cache_past_failures(run_zoo: Run, here: Path) -> None:
    ran = run_zoo("convert", "./in", "./nothing", "tiny-digits")
    assert ran.code == 6
    assert [Path(line).parent.name for line in ran.stdout.splitlines()] == ["in", "tiny-digits"]
    assert "NOTFOUND" in ran.stderr
    quiet = run_zoo("convert", "./in", "./nothing", "-q")
    assert quiet.stderr == "./nothing: NOTFOUND: there is no such file or folder (nothing)\n"
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


# What is wrong with the checkpoint: tensors, configuration; then the error's name and its words.
BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str, list[str]]] = {
    "a missing key": (
        {"ln_final.bias": None},
        {},
        "MAPPING",
        ["1 tensors are missing", "missing: 'ln_final.bias'"],
    ),
    "an extra key": (
        {"ln_finale.bias": np.zeros(32, np.float32)},
        {},
        "MAPPING",
        ["1 are not expected", "'ln_finale.bias'; nearest: 'ln_final.bias'"],
    ),
    "a wrong shape": (
        {"visual.proj": np.zeros((80, 47), np.float32)},
        {},
        "MAPPING",
        ["visual.proj [80, 47]", "[80, 48] is expected"],
    ),
    "one layer fewer than the configuration has": (
        {},
        {"model_cfg.text_cfg.layers": 3},
        "MAPPING",
        ["12 tensors are missing", "'transformer.resblocks.2.ln_1.weight'"],
    ),
    "one layer more than the configuration has": (
        {},
        {"model_cfg.text_cfg.layers": 1},
        "MAPPING",
        ["12 are not expected", "not expected: 'transformer.resblocks.1."],
    ),
    "another width": (
        {},
        {"model_cfg.text_cfg.width": 64},
        "CONFIG",
        ["text width 64, and the tensors say 32"],
    ),
    "another patch size": (
        {},
        {"model_cfg.vision_cfg.patch_size": 16},
        "CONFIG",
        ["patch height 16, and the tensors say 8"],
    ),
    "another picture size": (
        {},
        {"model_cfg.vision_cfg.image_size": 64},
        "CONFIG",
        ["image positions 65, and the tensors say 17"],
    ),
    "another embedding": (
        {},
        {"model_cfg.embed_dim": 64},
        "CONFIG",
        ["64, and the tensors say 48"],
    ),
    "heads that do not share the width": (
        {},
        {"model_cfg.text_cfg.heads": 5},
        "CONFIG",
        ["width 32 can't be shared by 5 heads"],
    ),
    "an unknown field": ({}, {"model_cfg.new": 1}, "CONFIG", ["unknown field new"]),
    "another tower": (
        {},
        {"model_cfg.vision_cfg.timm_model_name": "resnet50"},
        "CONFIG",
        ["timm_model_name = 'resnet50'"],
    ),
    "a value that is no number": (
        {"visual.proj": np.full((80, 48), np.nan, np.float32)},
        {},
        "NONFINITE",
        ["3840 values are NaN or infinite (visual.proj)", "--allow-nonfinite"],
    ),
    "a type that no weight has": (
        {"logit_scale": np.array(3, np.int64)},
        {},
        "FORMAT",
        ["a weight of type int64 (logit_scale)"],
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_checkpoint_is_told_and_leaves_nothing(
    run_zoo: Run, here: Path, small: Small, case: str
) -> None:
    tensors, config, name, said = BROKEN[case]
    small.save(here / "in", tensors=tensors, config=config)
    assert run_zoo("convert", "tiny-digits", "--out", "old").code == 0
    old = contents(here / "old")
    for out in ("new", "old"):
        ran = run_zoo("convert", "./in", "--out", out, "--force")
        assert (ran.code, ran.stdout) == (4, "")
        message = ran.stderr[ran.stderr.index("zoo: ") :]
        assert message.startswith(f"zoo: {name}: ")
        for words in said:
            assert words in message
    assert names(here) == ["in", "old"]
    assert contents(here / "old") == old
    document = json.loads(run_zoo("convert", "./in", "--out", "new", "--json").stdout)
    assert document["error"]["name"] == name


def test_nonfinite_values_can_be_allowed(run_zoo: Run, here: Path, small: Small) -> None:
    small.save(here / "in", tensors={"logit_scale": np.array(np.inf, np.float32)})
    assert run_zoo("convert", "./in", "--out", "out").code == 4
    assert run_zoo("convert", "./in", "--out", "out", "--allow-nonfinite").code == 0
    assert provenance.read(here / "out").tensors["logit_scale"].nonfinite == 1


@pytest.mark.parametrize("cut", [1, 700_000])
def test_truncated_weights_are_told(run_zoo: Run, here: Path, cut: int) -> None:
    weights = here / "in" / "open_clip_model.safetensors"
    os.truncate(weights, weights.stat().st_size - cut)
    ran = run_zoo("convert", "./in", "--out", "out")
    assert (ran.code, ran.stdout) == (4, "")
    assert "zoo: TRUNCATED: " in ran.stderr
    assert str(weights.stat().st_size) in ran.stderr
    assert names(here) == ["in"]


def test_the_manifest_is_held_against_the_file(run_zoo: Run, here: Path, small: Small) -> None:
    command = ("convert", "./in", "--id", G14, "--out", "out")
    ran = run_zoo(*command)
    assert ran.code == 4
    assert f"zoo: CONFIG: the configuration contradicts the manifest of {G14}" in ran.stderr
    assert "vision.width: the file says 80, the manifest 1408" in ran.stderr
    assert "vision.activation: the file says quick_gelu, the manifest gelu" in ran.stderr
    assert run_zoo(*command, "--trust", "file").code == 0
    record = provenance.read(here / "out")
    assert (record.id, record.trust) == (G14, "file")
    ran = run_zoo(*command, "--trust", "manifest", "--force")
    assert (ran.code, "MAPPING" in ran.stderr) == (4, True)  # the weights are not g-14's
    ran = run_zoo("convert", "./in", "--trust", "manifest", "--out", "other")
    assert (ran.code, "has no manifest" in ran.stderr) == (2, True)
    assert names(here) == ["in", "out"]


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["./nothing"], 6, "NOTFOUND: there is no such file or folder (nothing)"),
        (["CLIP-VIT-g-14-laion2B-s34B-b88K"], 6, f"Did you mean: {G14}"),
        (["nothing-like-it"], 6, "`zoo list` shows the models"),
        (["laion/CLIP-ViT-L-14"], 2, "CLIP-ViT-L-14-laion2B-s32B-b82K"),
        (["hf-hub:../../etc"], 4, "NAME: '../../etc' can't be"),
        (["a--b/c"], 4, "NAME: 'a--b/c' can't be the name of a model"),
        (["a/b/c"], 4, "NAME: "),
        (["modèle"], 4, "NAME: "),
        (["x" * 200], 4, "NAME: "),
        (["--", "-x"], 4, "NAME: '-x'"),
        (["-x"], 2, "unrecognized arguments: -x"),
        (["tiny-digits", "--id", "../../etc"], 4, "NAME: '../../etc'"),
        (["tiny-digits", "--id", "a/b/c"], 4, "NAME: "),
        (["tiny-digits", "./in", "--id", "a"], 2, "--id are for one SOURCE"),
        ([], 2, "name a SOURCE"),
        (["tiny-digits", "--max-shard-size", "5"], 2, "'5' is no size"),
        (["tiny-digits", "--dtype", "int8"], 2, "invalid choice: 'int8'"),
        (["tiny-digits", "--arch", "ViT-B-32"], 2, "--arch is for weights without one"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_source_that_can_t_be_meant_is_told(
    run_zoo: Run, here: Path, argv: list[str], code: int, said: str
) -> None:
    ran = run_zoo("convert", "--out", "out", *argv)
    assert (ran.code, ran.stdout) == (code, "")
    assert said in ran.stderr
    assert names(here) == ["in"]


def test_what_is_at_out_is_kept_unless_forced(run_zoo: Run, here: Path) -> None:
    (here / "out").mkdir()
    (here / "out" / "mine").write_text("mine")
    (here / "out" / "provenance.json").write_text("as of zoo's")
    (here / "photos").mkdir()
    (here / "photos" / "cat.jpg").write_text("mine")
    (here / "link").symlink_to("out")
    (here / "file").write_text("file")
    for out, forced, said in (
        ("out", False, "add --force"),
        ("photos", False, "is not zoo's: it has no provenance.json, and holds 'cat.jpg'"),
        ("photos", True, "is not zoo's: it has no provenance.json, and holds 'cat.jpg'"),
        ("link", False, "a link"),
        ("link", True, "a link"),
        ("file", False, "no folder"),
        ("file", True, "no folder"),
        (".", True, "a name of its own"),
        ("in", True, "the place of the source"),
    ):
        ran = run_zoo("convert", "./in", "--out", out, *(["--force"] if forced else []))
        assert (ran.code, ran.stdout) == (4, "")
        assert "zoo: PATH: " in ran.stderr
        assert said in ran.stderr
    assert contents(here / "out") == {"mine": b"mine", "provenance.json": b"as of zoo's"}
    assert contents(here / "photos") == {"cat.jpg": b"mine"}
    assert (here / "file").read_text() == "file"
    assert run_zoo("convert", "./in", "--out", "out", "--force").code == 0
    assert names(here / "out") == NAMES


@pytest.mark.parametrize("out", ["/sys/zoo-out", "/sys/zoo-out/deeper"])
def test_where_nothing_can_be_written_that_is_told(run_zoo: Run, here: Path, out: str) -> None:
    ran = run_zoo("convert", "./in", "--out", out)
    assert (ran.code, ran.stdout) == (7, "")
    assert "zoo: PERMISSION: no permission" in ran.stderr


def test_a_full_disk_is_exit_7(run_zoo: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    ran = run_zoo("convert", "./in", "--out", "out")
    assert (ran.code, ran.stdout) == (7, "")
    assert "zoo: DISK: the disk is full" in ran.stderr
    assert names(here) == ["in"]


# A process of its own, whose writes are announced on stderr, take a while, and wait as long as
# there is a file "hold" beside the working folder.
SLOW = """
import os, sys, time
pwrite = os.pwrite
def slow(*args):
    os.write(2, b"writing\\n")
    time.sleep(0.05)
    while os.path.exists("../hold"):
        time.sleep(0.01)
    return pwrite(*args)
os.pwrite = slow
from zoo.cli import main
sys.exit(main(sys.argv[1:]))
"""
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(here: Path) -> Iterator[Start]:
    """Starts ``zoo`` in a process, slowly."""
    started: list[subprocess.Popen[str]] = []

    def start(*argv: str, limit: int | None = None) -> subprocess.Popen[str]:
        def limited() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        process = subprocess.Popen(
            [sys.executable, "-c", SLOW, *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=limited,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def wait_for(process: subprocess.Popen[str], word: str) -> None:
    assert process.stderr
    for line in process.stderr:
        if word in line:
            return
    raise AssertionError(f"it ended without {word!r}")


def end(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, stdout, stderr.replace("writing\n", "")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing(
    run_zoo: Run, here: Path, start: Start, number: signal.Signals, code: int
) -> None:
    assert run_zoo("convert", "tiny-digits", "--out", "old").code == 0
    old = contents(here / "old")
    for out in ("new", "old"):
        process = start("convert", "./in", "--out", out, "--force")
        wait_for(process, "writing")
        assert f".{out}.partial" in names(here)
        process.send_signal(number)
        assert end(process) == (code, "", "\ninterrupted; nothing unfinished was left behind\n")
    assert names(here) == ["in", "old"]
    assert contents(here / "old") == old


def test_after_a_kill_the_next_run_clears_up(run_zoo: Run, here: Path, start: Start) -> None:
    process = start("convert", "./in", "--out", "out")
    wait_for(process, "writing")
    process.kill()
    end(process)
    assert names(here) == [".out.lock", ".out.partial", "in"]
    assert run_zoo("convert", "./in", "--out", "out").code == 0
    assert names(here) == ["in", "out"]
    assert names(here / "out") == NAMES


def test_of_two_at_once_one_waits(here: Path, start: Start) -> None:
    command = ("convert", "./in", "--out", "out", "--force", "--dtype")
    hold = here.parent / "hold"
    hold.touch()
    first = start(*command, "float16")
    wait_for(first, "writing")
    second = start(*command, "bfloat16")
    wait_for(second, "another process is writing out; waiting")
    hold.unlink()
    assert end(first)[:2] == end(second)[:2] == (0, "out\n")
    record = provenance.read(here / "out")
    assert {about.dtype for about in record.tensors.values()} == {"bfloat16"}
    assert names(here) == ["in", "out"]


def test_the_one_that_waited_does_not_replace_what_the_other_made(here: Path, start: Start) -> None:
    hold = here.parent / "hold"
    hold.touch()
    first = start("convert", "./in", "--out", "out")
    wait_for(first, "writing")
    second = start("convert", "./in", "--out", "out")
    wait_for(second, "waiting")
    hold.unlink()
    assert end(first)[0] == 0
    code, stdout, stderr = end(second)
    assert (code, stdout) == (4, "")
    assert "zoo: PATH: the output exists" in stderr
    assert names(here) == ["in", "out"]


def test_the_one_that_waits_can_be_stopped(here: Path, start: Start) -> None:
    hold = here.parent / "hold"
    hold.touch()
    first = start("convert", "./in", "--out", "out")
    wait_for(first, "writing")
    second = start("convert", "./in", "--out", "out")
    wait_for(second, "waiting")
    second.send_signal(signal.SIGTERM)
    assert end(second)[0] == 143
    assert names(here) == [".out.lock", ".out.partial", "in"]
    hold.unlink()
    assert end(first)[:2] == (0, "out\n")
    assert names(here) == ["in", "out"]


def test_a_limit_of_the_file_size_is_a_full_disk(run_zoo: Run, here: Path, start: Start) -> None:
    assert run_zoo("convert", "tiny-digits", "--out", "old").code == 0
    old = contents(here / "old")
    for out in ("new", "old"):
        code, stdout, stderr = end(start("convert", "./in", "--out", out, "--force", limit=100_000))
        assert (code, stdout) == (7, "")
        assert "zoo: DISK: the disk is full" in stderr
    assert names(here) == ["in", "old"]
    assert contents(here / "old") == old


def test_without_a_terminal_no_progress_is_drawn(here: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "zoo", "convert", "./in", "--out", "out"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ran.stdout, ran.stderr) == ("out\n", "in: open_clip, 94 tensors, 917.2 kB\n")
