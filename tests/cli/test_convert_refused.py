"""What `zoo convert` refuses: said with its name and remedy, and nothing is left or lost."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.folders import CHECKPOINT, contents, names
from zoo.convert import provenance

Run = Callable[..., Any]
Small = Any  # tests/conftest.py's
G14 = "CLIP-ViT-g-14-laion2B-s34B-b88K"

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
    assert names(here / "out") == CHECKPOINT


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
