"""An export appears whole, says what it is made of, and refuses what a library has not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert import provenance
from zoo.convert.export import TARGETS
from zoo.files import sha256_file
from zoo.spec import native

Small = Any  # tests/conftest.py's
Run = Callable[..., Any]
FILES = {
    "open_clip": {"open_clip_config.json", "open_clip_model.safetensors"},
    "hf": {
        *("config.json", "model.safetensors", "preprocessor_config.json", "README.md"),
        *("vocab.json", "merges.txt", "tokenizer_config.json", "special_tokens_map.json"),
    },
    "paddlemix": {
        *("config.json", "model_state.pdparams"),
        *(
            f"processor/{use}/{kind}_preprocessor_config.json"
            for use in ("train", "eval")
            for kind in ("image", "text")
        ),
    },
    "paddlenlp": {"config.json", "model_state.pdparams"},
}


@pytest.fixture
def converted(small: Small, run_zoo: Run, tmp_path: Path) -> Path:
    return convert(small, run_zoo, tmp_path / "native")


def convert(
    small: Small,
    run_zoo: Run,
    out: Path,
    config: Mapping[str, Any] | None = None,
    tensors: Mapping[str, Any] | None = None,
) -> Path:
    source = small.save(out.with_name("in"), config=config, tensors=tensors)
    assert run_zoo("convert", source, "--out", out, "--id", "my/model").code == 0
    return out


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("to", TARGETS)
def test_the_folder_holds_what_the_library_reads(
    converted: Path, run_zoo: Run, tmp_path: Path, to: str
) -> None:
    ran = run_zoo("export", converted, "--to", to, "--out", tmp_path / "out")
    assert (ran.code, ran.stdout.strip()) == (0, str(tmp_path / "out"))
    assert names(tmp_path / "out") == {*FILES[to], "provenance.json"}
    assert TARGETS[to].weights in FILES[to]


@pytest.mark.parametrize("to", TARGETS)
def test_the_provenance_says_what_it_is_made_of(
    converted: Path, run_zoo: Run, tmp_path: Path, to: str
) -> None:
    out = tmp_path / "out"
    run_zoo("export", converted, "--to", to, "--out", out)
    record = provenance.read(out)
    assert (record.id, record.source.format, record.dtype) == ("my/model", "zoo", "keep")
    assert {file.name for file in record.source.files} == names(converted)
    assert {file.name for file in record.files} == names(out) - {"provenance.json"}
    for folder, files in ((converted, record.source.files), (out, record.files)):
        for file in files:
            assert sha256_file(folder / file.name) == file.sha256
    run_zoo("export", converted, "--to", to, "--out", tmp_path / "again")
    for name in FILES[to]:
        assert (out / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_what_is_there_is_replaced_only_by_force(
    converted: Path, run_zoo: Run, tmp_path: Path
) -> None:
    command = ("export", converted, "--to", "open_clip", "--out", tmp_path / "out")
    run_zoo(*command)
    (tmp_path / "out" / "mine.txt").write_text("kept")
    assert run_zoo(*command).code == 4
    assert (tmp_path / "out" / "mine.txt").exists()
    assert run_zoo(*command, "--force").code == 0
    assert not (tmp_path / "out" / "mine.txt").exists()


@pytest.mark.parametrize("inner", [".", "inside/it"])
def test_it_does_not_take_the_checkpoint_s_place(converted: Path, run_zoo: Run, inner: str) -> None:
    before = names(converted)
    place = converted if inner == "." else converted.parent
    ran = run_zoo("export", converted, "--to", "hf", "--out", place, "--force")
    assert ran.code == 4
    assert "take the place of the source" in ran.stderr
    assert names(converted) == before


def test_a_damaged_checkpoint_is_not_passed_on(
    converted: Path, run_zoo: Run, tmp_path: Path
) -> None:
    weights = converted / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)
    ran = run_zoo("export", converted, "--to", "hf", "--out", tmp_path / "out")
    assert ran.code == 5
    assert "model.safetensors is not the one that was written" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_tensors_that_are_not_the_configuration_s_are_refused(
    converted: Path, run_zoo: Run, tmp_path: Path
) -> None:
    weights = converted / "model.safetensors"
    tensors = load_file(weights)
    del tensors["ln_final.bias"]
    save_file(tensors, weights)
    (converted / "provenance.json").unlink()  # as a folder of unknown making
    ran = run_zoo("export", converted, "--to", "hf", "--out", tmp_path / "out")
    assert ran.code == 4
    assert "not those of the configuration" in ran.stderr


def test_a_folder_without_provenance_is_called_as_it_is(
    converted: Path, run_zoo: Run, tmp_path: Path
) -> None:
    (converted / "provenance.json").unlink()
    assert run_zoo("export", converted, "--to", "hf", "--out", tmp_path / "out").code == 0
    assert provenance.read(tmp_path / "out").id == "native"


@pytest.mark.parametrize("what", ["source", "nothing"])
def test_only_a_converted_checkpoint_is_exported(
    converted: Path, run_zoo: Run, tmp_path: Path, what: str
) -> None:
    ran = run_zoo("export", tmp_path / {"source": "in"}.get(what, what), "--to", "hf", "--out", "x")
    assert ran.code == 6
    said = "there is no such folder" if what == "nothing" else "this folder is no converted"
    assert said in ran.stderr


LAYER_SCALE = {"model_cfg.vision_cfg.ls_init_value": 0.1}
LONGEST = {"preprocess_cfg.resize_mode": "longest"}


@pytest.mark.parametrize(
    ("config", "to", "message"),
    [
        (LONGEST, "hf", "no resizing by the longest side"),
        (LONGEST, "paddlemix", "resized by longest"),
        ({"model_cfg.vision_cfg.no_ln_pre": True}, "hf", "before the first block"),
        ({"model_cfg.vision_cfg.no_ln_pre": True}, "paddlemix", "before the first block"),
        ({"model_cfg.vision_cfg.no_ln_pre": True}, "paddlenlp", "before the first block"),
        (LAYER_SCALE, "hf", "no place for visual.transformer.resblocks.0.ls_1.gamma"),
        (LAYER_SCALE, "paddlenlp", "no place for visual.transformer.resblocks.0.ls_1.gamma"),
    ],
)
def test_what_a_library_has_not_is_said_before_anything_is_written(
    small: Small,
    run_zoo: Run,
    tmp_path: Path,
    config: dict[str, Any],
    to: str,
    message: str,
) -> None:
    gammas = {
        f"visual.transformer.resblocks.{layer}.ls_{at}.gamma": np.ones(80, np.float32)
        for layer in range(3)
        for at in (1, 2)
    }
    norm = {f"visual.ln_pre.{part}": None for part in ("weight", "bias")}
    changes: dict[str, Any] = gammas if config is LAYER_SCALE else {}
    if "model_cfg.vision_cfg.no_ln_pre" in config:
        changes = norm
    folder = convert(small, run_zoo, tmp_path / "native", config, changes)
    ran = run_zoo("export", folder, "--to", to, "--out", tmp_path / "out")
    assert ran.code == 4
    assert message in ran.stderr
    assert not (tmp_path / "out").exists()
    # open_clip has it all.
    assert run_zoo("export", folder, "--to", "open_clip", "--out", tmp_path / "out").code == 0


def test_what_paddlemix_s_code_computes_otherwise_is_said(
    small: Small, run_zoo: Run, tmp_path: Path
) -> None:
    quick = convert(small, run_zoo, tmp_path / "quick" / "native")
    ran = run_zoo("export", quick, "--to", "paddlemix", "--out", tmp_path / "a")
    assert "PaddleMIX's image tower always computes gelu" in ran.stderr
    plain = {"model_cfg.quick_gelu": False}
    gelu = convert(small, run_zoo, tmp_path / "gelu" / "native", plain)
    ran = run_zoo("export", gelu, "--to", "paddlemix", "--out", tmp_path / "b")
    assert (ran.code, "note:" in ran.stderr) == (0, False)
    eps = plain | {"model_cfg.text_cfg.norm_kwargs": {"eps": 1e-6}}
    other = convert(small, run_zoo, tmp_path / "eps" / "native", eps)
    for to in ("paddlemix", "paddlenlp"):
        ran = run_zoo("export", other, "--to", to, "--out", tmp_path / to)
        assert "norms have epsilon 1e-05" in ran.stderr
        assert "1e-06" in ran.stderr


def test_the_document(converted: Path, run_zoo: Run, tmp_path: Path) -> None:
    ran = run_zoo("export", converted, "--to", "hf", "--out", tmp_path / "out", "--json")
    assert json.loads(ran.stdout)["folder"] == str(tmp_path / "out")


def test_an_export_is_no_converted_checkpoint(
    converted: Path, run_zoo: Run, tmp_path: Path
) -> None:
    """PaddleMIX's config.json has nearly zoo's keys; the two must not be mistaken."""
    run_zoo("export", converted, "--to", "paddlemix", "--out", tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert not native.is_native(config)
    assert run_zoo("convert", tmp_path / "out", "--out", tmp_path / "again").code == 0
