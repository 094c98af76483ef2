"""What the ranks of a tensor-parallel run left becomes one checkpoint again."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.convert import provenance

Write = Callable[..., Path]
Run = Callable[..., Any]
COLUMNS = ("q_proj", "k_proj", "v_proj", "c_fc", "c_proj")


def cut(name: str, array: Any, count: int) -> list[Any]:
    """What each rank holds: Column layers share outputs, Row layers inputs, the rest is whole."""
    if name.endswith("token_embedding.weight") or name.endswith("out_proj.weight"):
        return np.split(array, count)
    if any(f".{column}." in name for column in COLUMNS):
        return np.split(array, count, axis=-1)  # weight [in, out] and bias [out] alike
    return [array] * count


def in_parts(folder: Path, count: int) -> list[Path]:
    """Cuts a folder's weights into one file per rank."""
    whole = folder / "model_state.pdparams"
    tensors = pickle.loads(whole.read_bytes())
    tensors.pop("StructuredToParameterName@@", None)
    whole.unlink()
    pieces = {name: cut(name, array, count) for name, array in tensors.items()}
    paths = []
    for rank in range(count):
        paths.append(folder / f"model_state.tp{rank:02}.pdparams")
        part = {name: np.ascontiguousarray(piece[rank]) for name, piece in pieces.items()}
        paths[-1].write_bytes(pickle.dumps(part, protocol=4))
    return paths


@pytest.fixture
def source(write: Write, tmp_path: Path) -> Path:
    folder = write(tmp_path / "in", "paddlemix")
    config = json.loads((folder / "config.json").read_text())
    config["vision_cfg"] = config["vision_cfg"] | {"quick_gelu": True}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("count", [2, 4])
def test_parts_are_put_together(source: Path, run_zoo: Run, tmp_path: Path, count: int) -> None:
    assert run_zoo("convert", source, "--out", tmp_path / "whole").code == 0
    parts = in_parts(source, count)
    ran = run_zoo("convert", source, "--out", tmp_path / "out")
    assert ran.code == 0, ran.stderr
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    record = provenance.read(tmp_path / "out")
    assert record.source.format == f"paddlemix-tp{count}"
    assert {path.name for path in parts} <= {file.name for file in record.source.files}
    assert run_zoo("verify", tmp_path / "out", "--upto", "roundtrip").code == 0


def test_custom_text_in_parts(write: Write, run_zoo: Run, small: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", "paddlemix", text="text.")
    arch = tmp_path / "arch.json"
    arch.write_text(json.dumps(small.config))
    assert run_zoo("convert", folder, "--arch", arch, "--out", tmp_path / "whole").code == 0
    in_parts(folder, 2)
    assert run_zoo("convert", folder, "--arch", arch, "--out", tmp_path / "out").code == 0
    whole, out = (tmp_path / name / "model.safetensors" for name in ("whole", "out"))
    assert whole.read_bytes() == out.read_bytes()


def test_what_should_be_alike_and_is_not_is_refused(
    source: Path, run_zoo: Run, tmp_path: Path
) -> None:
    """As when the parts are of two different steps."""
    _, last = in_parts(source, 2)
    tensors = pickle.loads(last.read_bytes())
    tensors["ln_final.bias"][0] += 1
    last.write_bytes(pickle.dumps(tensors, protocol=4))
    ran = run_zoo("convert", source, "--out", tmp_path / "out")
    assert ran.code == 4
    assert "differs between the parts" in ran.stderr
    assert not (tmp_path / "out").exists()


def test_a_part_that_is_missing_is_named(source: Path, run_zoo: Run, tmp_path: Path) -> None:
    in_parts(source, 4)[1].unlink()
    ran = run_zoo("convert", source, "--out", tmp_path / "out")
    assert ran.code == 6
    assert "model_state.tp01.pdparams" in ran.stderr
    assert not (tmp_path / "out").exists()
