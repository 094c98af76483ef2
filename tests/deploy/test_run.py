"""The deployed form appears whole, the same every time, and only if it is right."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert import provenance
from zoo.convert.readers import TensorInfo
from zoo.deploy import folder, run
from zoo.files import sha256_file
from zoo.manifest import registry
from zoo.spec import native
from zoo.spec.layout import native_shapes
from zoo.talk import Talk

pytestmark = pytest.mark.paddle

Run = Callable[..., Any]
FILES = {
    *("image.json", "image.pdiparams", "text.json", "text.pdiparams", "inference.json"),
    *("config.json", "parity.json", "README.md"),
}


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def export(run_zoo: Run, source: Path, out: Path, *more: object) -> Any:
    return run_zoo("export", source, "--to", "inference", "--out", out, *more)


def test_the_programs_are_judged_and_the_same_every_time(
    converted_once: Path,
    without_open_clip: None,
    run_zoo: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran = export(run_zoo, converted_once, tmp_path / "one", "--json")
    assert ran.code == 0, ran.stderr
    parity = json.loads(ran.stdout)["parity"]
    assert parity["status"] == "pass"
    assert set(parity["figures"]["per layer"]) == {"visual.features", "text.features", "logits"}
    monkeypatch.setenv("COLUMNS", "80")
    ran = export(run_zoo, converted_once, tmp_path / "two")
    assert ran.code == 0 and ran.stdout == f"{tmp_path / 'two'}\n"
    _, told = ran.stderr.split("held against open_clip in float64\n")
    assert told.startswith("parity pass  layers 3, outside 0, worst layer ")
    assert max(map(len, told.splitlines())) <= 80
    assert names(tmp_path / "one") == {*FILES, "provenance.json"}
    for name in FILES:
        assert sha256_file(tmp_path / "one" / name) == sha256_file(tmp_path / "two" / name), name
    # quick_gelu, einsum and copies of transposes are what programs of this model do without.
    program = (tmp_path / "one" / "image.json").read_text()
    assert "swish" in program and "sigmoid" not in program and "einsum" not in program
    record = provenance.read(tmp_path / "one")
    assert {file.name for file in record.files} == FILES
    assert record.tensors_digest == provenance.read(converted_once).tensors_digest
    assert record.mapping_digest == run.code_digest()


def altered(converted: Path, out: Path) -> Path:
    """The checkpoint with one norm of the text tower off by a thousandth of a thousandth."""
    shutil.copytree(converted, out)
    tensors = load_file(out / "model.safetensors")
    tensors["ln_final.weight"] *= np.float32(1 + 2e-6)
    save_file(tensors, out / "model.safetensors", metadata={"format": "np"})
    (out / "provenance.json").unlink()
    return out


def test_a_wrong_program_is_not_kept(
    converted_once: Path,
    without_open_clip: None,
    run_zoo: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    other, write = altered(converted_once, tmp_path / "other"), run.write_programs
    monkeypatch.setattr(run, "write_programs", lambda _, out, talk: write(other, out, talk))
    ran = export(run_zoo, converted_once, tmp_path / "out")
    assert ran.code == 3
    assert "the programs are wrong: text.features is the first layer outside" in ran.stderr
    assert names(tmp_path) & {"out", ".out.partial"} == set()


def test_without_a_reference_that_is_said(
    converted_once: Path, without_open_clip: None, run_zoo: Run, tmp_path: Path
) -> None:
    other = altered(converted_once, tmp_path / "other")
    ran = export(run_zoo, other, tmp_path / "out")
    assert ran.code == 0
    assert "parity not run  without a provenance" in ran.stderr
    judged = json.loads((tmp_path / "out" / "parity.json").read_text())
    assert judged["status"] == "not run"


@pytest.mark.parametrize(("tower", "program"), [("vision", "image"), ("text", "text")])
def test_one_tower_makes_one_program(
    converted_once: Path, tmp_path: Path, silence: Talk, tower: str, program: str
) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    spec = native.read(converted_once / "config.json")
    spec = replace(spec, **{{"vision": "text", "text": "vision"}[tower]: None})
    if tower == "text":
        spec = replace(spec, preprocess=None)
    tensors = load_file(converted_once / "model.safetensors")
    for place in (source, out):
        place.mkdir()
    (source / "config.json").write_text(json.dumps(native.dump(spec)))
    kept = {name: tensors[name] for name in native_shapes(spec)}
    save_file(kept, source / "model.safetensors", metadata={"format": "np"})
    run.write_programs(source, out, silence)
    record = folder.read(out)
    files = {f"{program}.json", f"{program}.pdiparams", "config.json", "inference.json"}
    assert names(out) == files
    assert (record.image is None) == (tower == "text") != (record.text is None)
    assert record.logit_scale is None


def test_what_is_there_and_what_is_damaged(
    converted_once: Path, run_zoo: Run, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("kept")
    assert export(run_zoo, converted_once, tmp_path / "out").code == 4
    assert names(tmp_path / "out") == {"mine.txt"}
    damaged = shutil.copytree(converted_once, tmp_path / "damaged")
    data = bytearray((damaged / "model.safetensors").read_bytes())
    data[-5] ^= 1
    (damaged / "model.safetensors").write_bytes(data)
    ran = export(run_zoo, damaged, tmp_path / "new")
    assert ran.code == 5
    assert "model.safetensors is not the one that was written" in ran.stderr
    assert not (tmp_path / "new").exists()


def test_programs_are_no_checkpoint(converted_once: Path, run_zoo: Run, tmp_path: Path) -> None:
    """Their config.json is a checkpoint's; the two must not be mistaken."""
    shutil.copytree(converted_once, tmp_path / "programs")
    (tmp_path / "programs" / "inference.json").write_text("{}")
    ran = run_zoo("export", tmp_path / "programs", "--to", "hf", "--out", tmp_path / "back")
    assert ran.code == 6
    assert "no converted checkpoint" in ran.stderr


def test_a_deep_image_tower_s_weights_are_counted_twice() -> None:
    deep, shallow = (registry().architecture(name) for name in ("ViT-L-14", "ViT-B-32"))
    tensors = {
        "visual.proj": TensorInfo(dtype=np.dtype(np.float16), shape=(10, 3)),
        "ln_final.bias": TensorInfo(dtype=np.dtype(np.float16), shape=(7,)),
    }
    assert run._spare(tensors, deep) == 4 * 30
    assert run._spare(tensors, shallow) == 0
