"""There and back, bit for bit: names, order, shapes, types, and every tensor's bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert.readers import open_checkpoint

Write = Callable[..., Path]
Run = Callable[..., Any]
WEIGHTS = {
    "open_clip": "open_clip_model.safetensors",
    "hf": "model.safetensors",
    "paddlemix": "model_state.pdparams",
}
with_every_dtype = pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])


def assert_equal(a: Path, b: Path, *, order: bool = True) -> None:
    with open_checkpoint(a) as left, open_checkpoint(b) as right:
        names = (list(left.tensors), list(right.tensors))
        assert names[0] == names[1] if order else sorted(names[0]) == sorted(names[1])
        for name, info in left.tensors.items():
            assert info.shape == right.tensors[name].shape, name
            assert info.dtype == right.tensors[name].dtype, name
            assert left.tensor(name).tobytes() == right.tensor(name).tobytes(), name


@pytest.fixture
def pass_on(run_zoo: Run, tmp_path: Path, small: Any) -> Callable[[Path, str], Path]:
    """Converts or exports a folder: ``pass_on(folder, "native")``."""
    made = iter(range(9))

    def step(folder: Path, to: str) -> Path:
        out = tmp_path / f"step-{next(made)}-{to}"
        command = ["convert", folder] if to == "native" else ["export", folder, "--to", to]
        ran = run_zoo(*command, "--out", out)
        assert ran.code == 0, ran.stderr
        return out

    return step


@with_every_dtype
@pytest.mark.parametrize("family", ["open_clip", "hf"])
def test_out_again_as_it_came(
    write: Write, pass_on: Callable[[Path, str], Path], tmp_path: Path, family: str, dtype: str
) -> None:
    source = write(tmp_path / "in", family, dtype)
    back = pass_on(pass_on(source, "native"), family)
    assert_equal(source / WEIGHTS[family], back / WEIGHTS[family])


@with_every_dtype
def test_paddlemix_out_again_as_it_came(
    write: Write, pass_on: Callable[[Path, str], Path], tmp_path: Path, small: Any, dtype: str
) -> None:
    """The order of a dict is zoo's: PaddleMIX loads by name."""
    import json

    source = write(tmp_path / "in", "paddlemix", dtype)
    config = json.loads((source / "config.json").read_text())
    config["vision_cfg"] = config["vision_cfg"] | {"quick_gelu": True}
    (source / "config.json").write_text(json.dumps(config))
    back = pass_on(pass_on(source, "native"), "paddlemix")
    assert_equal(source / WEIGHTS["paddlemix"], back / WEIGHTS["paddlemix"], order=False)
    # From then on nothing changes at all.
    again = pass_on(pass_on(back, "native"), "paddlemix")
    first, second = (path / WEIGHTS["paddlemix"] for path in (back, again))
    assert first.read_bytes() == second.read_bytes()
    assert (back / "config.json").read_bytes() == (again / "config.json").read_bytes()


@with_every_dtype
@pytest.mark.parametrize("via", ["hf", "paddlemix", "open_clip"])
def test_through_another_library_and_back(
    write: Write, pass_on: Callable[[Path, str], Path], tmp_path: Path, via: str, dtype: str
) -> None:
    source = write(tmp_path / "in", "open_clip", dtype)
    native = pass_on(source, "native")
    again = pass_on(pass_on(native, via), "native")
    for name in ("model.safetensors", "config.json"):
        assert (native / name).read_bytes() == (again / name).read_bytes(), name
    assert_equal(source / WEIGHTS["open_clip"], pass_on(again, "open_clip") / WEIGHTS["open_clip"])


def test_what_becomes_one_tensor_of_several_types_loses_nothing(
    write: Write, pass_on: Callable[[Path, str], Path], tmp_path: Path
) -> None:
    """q in float16, k in bfloat16 and v in float32 lie in one matrix in open_clip: no half type
    holds the other, and neither holds float32."""
    source = write(tmp_path / "in", "hf")
    weights = source / WEIGHTS["hf"]
    types = {"q_proj": np.float16, "k_proj": ml_dtypes.bfloat16}
    tensors = load_file(weights)
    for name in tensors:
        part = name.removesuffix(".weight").rpartition(".")[2]
        tensors[name] = tensors[name].astype(types.get(part, np.float32))
    save_file(tensors, weights)
    native = pass_on(source, "native")
    back = pass_on(native, "open_clip") / WEIGHTS["open_clip"]
    with open_checkpoint(back) as packed:
        name = "visual.transformer.resblocks.0.attn.in_proj_weight"
        found = packed.tensor(name)
        parts = (f"vision_model.encoder.layers.0.self_attn.{p}_proj.weight" for p in "qkv")
        assert found.dtype == np.float32
        assert np.array_equal(found, np.concatenate([np.float32(tensors[p]) for p in parts]))
    assert_equal(weights, pass_on(native, "hf") / WEIGHTS["hf"], order=False)
