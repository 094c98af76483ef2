"""The same weights in every format, written by hand: nothing here knows zoo's tables."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import save_file

Tensors = dict[str, NDArray[Any]]
Small = Any  # tests/conftest.py's
DTYPES = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}


def blocks(tensors: Tensors) -> list[tuple[str, str]]:
    """(open_clip's prefix of a block, its tower and number as ``visual.3``)."""
    found = {name.split("attn.")[0] for name in tensors if ".attn.in_proj_weight" in name}
    return [
        (prefix, f"{'visual' if prefix.startswith('visual') else 'text'}.{prefix.split('.')[-2]}")
        for prefix in sorted(found)
    ]


def qkv(tensors: Tensors, prefix: str, part: str) -> list[NDArray[Any]]:
    packed = tensors[f"{prefix}attn.in_proj_{part}"]
    third = len(packed) // 3
    return [packed[:third], packed[third : 2 * third], packed[2 * third :]]


def as_hf(tensors: Tensors) -> Tensors:
    """What transformers' CLIPModel calls these tensors, by the names of its modules."""
    result = {
        "logit_scale": tensors["logit_scale"],
        "visual_projection.weight": tensors["visual.proj"].T,
        "text_projection.weight": tensors["text_projection"].T,
        "vision_model.embeddings.class_embedding": tensors["visual.class_embedding"],
        "vision_model.embeddings.patch_embedding.weight": tensors["visual.conv1.weight"],
        "vision_model.embeddings.position_embedding.weight": tensors["visual.positional_embedding"],
        "text_model.embeddings.token_embedding.weight": tensors["token_embedding.weight"],
        "text_model.embeddings.position_embedding.weight": tensors["positional_embedding"],
    }
    norms = {
        "visual.ln_pre": "vision_model.pre_layrnorm",
        "visual.ln_post": "vision_model.post_layernorm",
        "ln_final": "text_model.final_layer_norm",
    }
    modules = {
        "ln_1": "layer_norm1",
        "ln_2": "layer_norm2",
        "attn.out_proj": "self_attn.out_proj",
        "mlp.c_fc": "mlp.fc1",
        "mlp.c_proj": "mlp.fc2",
    }
    for part in ("weight", "bias"):
        for ours, theirs in norms.items():
            result[f"{theirs}.{part}"] = tensors[f"{ours}.{part}"]
        for prefix, place in blocks(tensors):
            tower, number = place.split(".")
            model = "vision_model" if tower == "visual" else "text_model"
            block = f"{model}.encoder.layers.{number}."
            for name, third in zip("qkv", qkv(tensors, prefix, part), strict=True):
                result[f"{block}self_attn.{name}_proj.{part}"] = third
            for ours, theirs in modules.items():
                result[f"{block}{theirs}.{part}"] = tensors[f"{prefix}{ours}.{part}"]
    return result


def as_paddlemix(tensors: Tensors, text: str = "") -> Tensors:
    """PaddleMIX's names; a Linear weight is [in, out]."""
    result: Tensors = {}
    for name, value in tensors.items():
        if ".attn.in_proj_" in name:
            continue
        linear = name.endswith((".out_proj.weight", ".c_fc.weight", ".c_proj.weight"))
        own = name.startswith("visual.") or name == "logit_scale"
        result[name if own else text + name] = value.T if linear else value
    for prefix, place in blocks(tensors):
        own = place.startswith("visual")
        for part in ("weight", "bias"):
            for letter, third in zip("qkv", qkv(tensors, prefix, part), strict=True):
                key = f"{prefix}attn.{letter}_proj.{part}"
                result[key if own else text + key] = third.T
    result["logit_scale"] = tensors["logit_scale"].reshape(1)
    return result


class Paddled:
    """An array that pickles as paddle.save pickles a tensor in a nested dict."""

    def __init__(self, name: str, array: NDArray[Any]) -> None:
        self.name, self.array = name, array

    def __reduce__(self) -> tuple[Any, ...]:
        return tuple, ((self.name, self.array),)


def pickled(
    tensors: Tensors, *, tuples: bool = False, core: str = "_core", protocol: int = 4
) -> bytes:
    """A ``.pdparams`` as paddle.save writes it, under numpy 1 (``core``) or 2 (``_core``)."""
    arrays = {
        name: value.view(np.uint16) if value.dtype == ml_dtypes.bfloat16 else value
        for name, value in ((n, np.ascontiguousarray(v)) for n, v in tensors.items())
    }
    names = {name: f"linear_{at}.w_0" for at, name in enumerate(arrays)}
    content: dict[str, Any] = (
        {name: Paddled(names[name], array) for name, array in arrays.items()}
        if tuples
        else {**arrays, "StructuredToParameterName@@": names}
    )
    data = pickle.dumps(content, protocol=protocol)
    if protocol < 4:
        return data
    old, new = (
        b"\x8c" + bytes([len(module)]) + module
        for module in (b"numpy._core.multiarray", f"numpy.{core}.multiarray".encode())
    )
    # Both names' frames would have other lengths, and frames are only hints.
    assert data.count(old) == 1
    at = data.index(b"\x95")
    return (data[:at] + data[at + 9 :]).replace(old, new) if old != new else data


@pytest.fixture(scope="session")
def write(small: Small) -> Callable[..., Path]:
    """Writes the small checkpoint into a folder: ``write(folder, "hf", "float16")``."""

    def cast(dtype: str) -> Tensors:
        return {name: value.astype(DTYPES[dtype]) for name, value in small.tensors.items()}

    def write_folder(folder: Path, family: str, dtype: str = "float32", **how: Any) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = cast(dtype)
        config = small.config["model_cfg"]
        preprocess = small.config["preprocess_cfg"]
        size = config["vision_cfg"]["image_size"]
        if family == "open_clip":
            save(tensors, folder / "open_clip_model.safetensors")
            (folder / "open_clip_config.json").write_text(json.dumps(small.config))
        elif family == "hf":
            save(as_hf(tensors), folder / "model.safetensors")
            (folder / "config.json").write_text(json.dumps(hf_config(config)))
            processor = {
                "size": {"shortest_edge": size},
                "crop_size": {"height": size, "width": size},
                "image_mean": preprocess["mean"],
                "image_std": preprocess["std"],
            }
            (folder / "preprocessor_config.json").write_text(json.dumps(processor))
        else:
            text = how.pop("text", "")
            data = pickled(as_paddlemix(tensors, text), **how)
            (folder / "model_state.pdparams").write_bytes(data)
            (folder / "config.json").write_text(json.dumps(paddlemix_config(config)))
            processor = {
                "size": {"shortest_edge": size},
                "crop_size": size,
                "interpolation": preprocess["interpolation"],
                "image_mean": preprocess["mean"],
                "image_std": preprocess["std"],
            }
            path = folder / "processor" / "eval" / "image_preprocessor_config.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(processor))
        return folder

    return write_folder


def save(tensors: Tensors, path: Path) -> None:
    save_file(
        {name: np.ascontiguousarray(value).reshape(value.shape) for name, value in tensors.items()},
        path,
        metadata={"format": "pt"},
    )


def hf_config(config: dict[str, Any]) -> dict[str, Any]:
    vision, text = config["vision_cfg"], config["text_cfg"]
    activation = "quick_gelu" if config["quick_gelu"] else "gelu"
    return {
        "model_type": "clip",
        "architectures": ["CLIPModel"],
        "projection_dim": config["embed_dim"],
        "vision_config": {
            "hidden_size": vision["width"],
            "num_hidden_layers": vision["layers"],
            "num_attention_heads": vision["width"] // vision["head_width"],
            "intermediate_size": int(vision["width"] * vision["mlp_ratio"]),
            "hidden_act": activation,
            "image_size": vision["image_size"],
            "patch_size": vision["patch_size"],
        },
        "text_config": {
            "hidden_size": text["width"],
            "num_hidden_layers": text["layers"],
            "num_attention_heads": text["heads"],
            "intermediate_size": int(text["width"] * text["mlp_ratio"]),
            "hidden_act": activation,
            "vocab_size": text["vocab_size"],
            "eos_token_id": text["vocab_size"] - 1,
        },
    }


def paddlemix_config(config: dict[str, Any]) -> dict[str, Any]:
    """As PaddleMIX has it: no word on the image tower's activation."""
    return {
        "model_type": "clip",
        "embed_dim": config["embed_dim"],
        "vision_cfg": config["vision_cfg"],
        "text_cfg": {**config["text_cfg"], "quick_gelu": config["quick_gelu"]},
    }
