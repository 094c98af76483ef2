"""Tiny CLIPs: every dimension differs, so that no two can be taken for each other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from zoo.spec import CLIPSpec, PreprocessSpec, TextSpec, VisionSpec, native
from zoo.spec.layout import native_shapes

# Read when torch and paddle are imported. Threads that wait for each other at the end of every tiny
# product take twenty times as long where other processes want the cores too.
os.environ.setdefault("OMP_NUM_THREADS", "1")

Weights = dict[str, np.ndarray]

SPEC = CLIPSpec(
    embed_dim=21,
    vision=VisionSpec(
        width=39,
        layers=2,
        heads=3,
        mlp_width=int(39 * 4.9231),
        activation="gelu",
        norm_eps=1e-5,
        layer_scale=None,
        image_size=(35, 28),
        patch_size=(7, 7),
        ln_pre=True,
        patch_dropout=0.0,
    ),
    text=TextSpec(
        width=33,
        layers=3,
        heads=3,
        mlp_width=int(33 * 4.9231),
        activation="gelu",
        norm_eps=1e-5,
        layer_scale=None,
        context_length=13,
        vocab_size=97,
    ),
    preprocess=PreprocessSpec(
        size=(35, 28),
        mean=(0.5, 0.5, 0.5),
        std=(0.5, 0.5, 0.5),
        interpolation="bicubic",
        resize="squash",
        fill=0,
    ),
)


@pytest.fixture
def spec() -> CLIPSpec:
    return SPEC


@pytest.fixture
def make_weights() -> Callable[..., Weights]:
    """Native weights under which every parameter counts: nothing is zero, one or alike."""

    def make(spec: CLIPSpec, seed: int = 0) -> Weights:
        random = np.random.default_rng(seed)
        weights = {}
        for name, shape in native_shapes(spec).items():
            fan_in = 1 if len(shape) == 1 else np.prod(shape) / max(shape[0], shape[-1])
            values = random.normal(0, fan_in**-0.5, shape)
            if name.startswith("logit_scale") or ".ln_" in name or name.startswith("ln_"):
                values = (1 if name.endswith("weight") else 0) + 0.2 * values
            weights[name] = values.astype(np.float32)
        return weights

    return make


@pytest.fixture
def write_checkpoint(tmp_path: Path) -> Callable[..., Path]:
    """Writes what ``zoo convert`` would, without provenance."""

    def write(spec: CLIPSpec, weights: Weights, name: str = "checkpoint") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(native.dump(spec)))
        save_file(weights, folder / "model.safetensors", metadata={"format": "np"})
        return folder

    return write


@pytest.fixture
def inputs() -> tuple[np.ndarray, np.ndarray]:
    """Pixels [4, 3, 35, 28] and tokens [5, 13]; the end token, 96, stands at different places."""
    random = np.random.default_rng(1)
    pixels = random.normal(0, 1, (4, 3, 35, 28)).astype(np.float32)
    tokens = random.integers(1, 95, (5, 13))
    for row, end in enumerate((3, 7, 1, 5, 8)):
        tokens[row, end] = 96
        tokens[row, end + 1 :] = 0
    return pixels, tokens


@pytest.fixture
def open_clip_model() -> Callable[[CLIPSpec], Any]:
    """open_clip's model of a specification, as it comes."""

    def make(spec: CLIPSpec) -> Any:
        from zoo.verify.reference.libraries import open_clip

        vision, text = spec.vision, spec.text
        assert vision is not None and text is not None
        assert vision.activation == text.activation
        return open_clip.CLIP(
            spec.embed_dim,
            vision_cfg={
                "layers": vision.layers,
                "width": vision.width,
                "head_width": vision.head_width,
                "mlp_ratio": vision.mlp_width / vision.width,
                "patch_size": vision.patch_size,
                "image_size": vision.image_size,
                "ls_init_value": vision.layer_scale,
                "no_ln_pre": not vision.ln_pre,
                "norm_kwargs": {"eps": vision.norm_eps},
            },
            text_cfg={
                "context_length": text.context_length,
                "vocab_size": text.vocab_size,
                "width": text.width,
                "heads": text.heads,
                "layers": text.layers,
                "mlp_ratio": text.mlp_width / text.width,
                "ls_init_value": text.layer_scale,
                "norm_kwargs": {"eps": text.norm_eps},
            },
            quick_gelu=vision.activation == "quick_gelu",
        )

    return make


@pytest.fixture
def open_clip_twin(
    open_clip_model: Callable[[CLIPSpec], Any], make_weights: Callable[..., Weights]
) -> Callable[..., tuple[Any, Weights]]:
    """open_clip's model with random weights, and the same weights natively."""

    def make(spec: CLIPSpec, seed: int = 0) -> tuple[Any, Weights]:
        from zoo.verify.reference.libraries import torch

        model, weights = open_clip_model(spec), make_weights(spec, seed)
        state = {name: torch.tensor(array) for name, array in to_open_clip(weights).items()}
        model.load_state_dict(state)
        return model.eval(), weights

    return make


@pytest.fixture(name="to_open_clip")
def to_open_clip_fixture() -> Callable[[Weights], Weights]:
    return to_open_clip


def to_open_clip(weights: Weights) -> Weights:
    """Native names and layouts to open_clip's, written out for the tests alone."""
    state = {}
    for name, array in weights.items():
        if name == "logit_scale":
            state[name] = array.reshape(())
        elif ".attn.q_proj." in name:
            thirds = [weights[name.replace("q_proj", f"{x}_proj")] for x in "qkv"]
            packed = name.replace(".q_proj.", ".in_proj_")
            state[packed] = np.concatenate([third.T for third in thirds])
        elif ".attn.k_proj." in name or ".attn.v_proj." in name:
            continue
        elif name.endswith(("out_proj.weight", "c_fc.weight", "c_proj.weight")):
            state[name] = array.T
        else:
            state[name] = array
    return state


VARIANTS = {
    "gelu": lambda spec: spec,
    "quick_gelu": lambda spec: towers(spec, activation="quick_gelu"),
    "layer scale": lambda spec: towers(spec, layer_scale=0.1),
    "eps 1e-6": lambda spec: towers(spec, norm_eps=1e-6),
    "no ln_pre": lambda spec: replace(spec, vision=replace(spec.vision, ln_pre=False)),
    "oblong patches": lambda spec: replace(
        spec, vision=replace(spec.vision, patch_size=(5, 7), image_size=(35, 28))
    ),
}


def towers(spec: CLIPSpec, **changes: Any) -> CLIPSpec:
    return replace(spec, vision=replace(spec.vision, **changes), text=replace(spec.text, **changes))


@pytest.fixture(params=VARIANTS)
def variant(request: pytest.FixtureRequest) -> CLIPSpec:
    """The tiny specification, once for every field that changes what is computed."""
    return VARIANTS[request.param](SPEC)
