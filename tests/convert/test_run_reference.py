# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test
"""The same weights in every form in which torch writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from safetensors.torch import load_file, save_file

from zoo.convert import provenance
from zoo.convert.run import Options, convert
from zoo.convert.source import find_source
from zoo.talk import Silence
from zoo.verify.reference.libraries import open_clip, torch

Small = Any  # tests/conftest.py's
State = dict[str, Any]
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def model(config: dict[str, Any], *, custom_text: bool = False) -> Any:
    build = open_clip.model.CustomTextCLIP if custom_text else open_clip.model.CLIP
    return build(**config["model_cfg"])


@pytest.fixture(scope="module")
def state(small: Small) -> State:
    """The small checkpoint as open_clip's own model has it."""
    built = model(small.config)
    built.load_state_dict({name: torch.from_numpy(t) for name, t in small.tensors.items()})
    return dict(built.state_dict())


def legacy(state: Any, path: Path) -> None:
    torch.save(state, path, _use_new_zipfile_serialization=False)


def training(state: State, path: Path) -> None:
    """As open_clip_train saves an epoch: the optimizer's and the scaler's state beside it."""
    parameter = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.AdamW([parameter], lr=1e-3)
    parameter.sum().backward()
    optimizer.step()
    torch.save(
        {
            "epoch": 3,
            "name": "2026_01_01-model",
            "state_dict": {f"module.{name}": tensor for name, tensor in state.items()},
            "optimizer": optimizer.state_dict(),
            "scaler": {"scale": 65536.0, "_growth_tracker": 0},
        },
        path,
    )


def views(state: State, path: Path) -> None:
    """Tensors that share one storage, lie the other way round, or are parameters."""
    matrix = state["visual.proj"]
    turned = matrix.t().contiguous().t()
    assert not turned.is_contiguous()
    bias = torch.cat([state["ln_final.weight"], state["ln_final.bias"]])
    width = len(state["ln_final.bias"])
    torch.save(
        {
            **state,
            "visual.proj": turned,
            "ln_final.weight": bias[:width],
            "ln_final.bias": bias[width:],
            "text_projection": torch.nn.Parameter(state["text_projection"]),
        },
        path,
    )


def shards(state: State, path: Path) -> None:
    """Two files and an index, as transformers and huggingface_hub write them."""
    names = list(state)
    files = {"part-1.bin": names[:40], "part-2.bin": names[40:]}
    for file, keys in files.items():
        torch.save({key: state[key] for key in keys}, path.with_name(file))
    weight_map = {key: file for file, keys in files.items() for key in keys}
    path.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


def packed(state: State, path: Path) -> None:
    torch.save(
        {
            name if name.startswith(("visual.", "logit_scale")) else f"text.{name}": tensor
            for name, tensor in state.items()
        },
        path,
    )


FORMS: dict[str, tuple[str, Callable[[State, Path], None]]] = {
    "safetensors": ("open_clip_model.safetensors", save_file),
    "zip": ("open_clip_pytorch_model.bin", torch.save),
    "legacy": ("open_clip_pytorch_model.bin", legacy),
    "wrapped": ("model.pt", lambda state, path: torch.save({"state_dict": state}, path)),
    "training": ("epoch_3.pt", training),
    "views": ("epoch_3.pt", views),
    "shards": ("open_clip_pytorch_model.bin.index.json", shards),
    "CustomTextCLIP": ("open_clip_pytorch_model.bin", packed),
}


def saved(folder: Path, small: Small, state: State, form: str) -> Path:
    folder.mkdir()
    name, save = FORMS[form]
    save(state, folder / name)
    (folder / "open_clip_config.json").write_text(json.dumps(small.config))
    return folder


def converted(source: Path, dtype: str = "keep") -> Path:
    options = Options(command=("zoo",), dtype=dtype)
    out = source.with_name(f"{source.name}-{dtype}")
    return convert(find_source(str(source)), source, out, options, Silence())


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_same_weights_give_the_same_bytes(
    small: Small, state: State, tmp_path: Path, dtype: str
) -> None:
    half = {name: tensor.to(DTYPES[dtype]) for name, tensor in state.items()}
    made = {}
    for form in FORMS:
        folder = converted(saved(tmp_path / form, small, half, form))
        made[form] = (folder / "model.safetensors").read_bytes()
        record = provenance.read(folder)
        assert {about.dtype for about in record.tensors.values()} == {dtype}
        if form == "training":
            assert record.source.left_out == ["epoch", "name", "optimizer", "scaler"]
    assert len(set(made.values())) == 1


def test_custom_text_s_names_are_open_clip_s_own(
    small: Small, state: State, tmp_path: Path
) -> None:
    path = tmp_path / "model.bin"
    packed(state, path)
    built = model(small.config, custom_text=True)
    assert built.load_state_dict(torch.load(path)).missing_keys == []


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("stored", DTYPES)
def test_a_cast_is_torch_s(
    small: Small, state: State, tmp_path: Path, stored: str, dtype: str
) -> None:
    source = {name: tensor.to(DTYPES[stored]) for name, tensor in state.items()}
    cast = {name: tensor.to(DTYPES[dtype]) for name, tensor in source.items()}
    ours = converted(saved(tmp_path / "in", small, source, "safetensors"), dtype)
    theirs = converted(saved(tmp_path / "cast", small, cast, "safetensors"))
    assert (ours / "model.safetensors").read_bytes() == (theirs / "model.safetensors").read_bytes()
    found = load_file(ours / "model.safetensors")
    assert torch.equal(found["visual.proj"], cast["visual.proj"])
