"""open_clip's checkpoints, built from its own names and shapes as read in its model.

They know nothing of zoo's tables. Every element of a checkpoint is another number, so that none
can end up in another's place unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from zoo.spec import CLIPSpec, TowerSpec, open_clip

Tensors = dict[str, NDArray[Any]]
Shapes = dict[str, tuple[int, ...]]


def _block(prefix: str, tower: TowerSpec) -> Shapes:
    width, mlp = tower.width, tower.mlp_width
    shapes: Shapes = {
        "ln_1.weight": (width,),
        "ln_1.bias": (width,),
        "attn.in_proj_weight": (3 * width, width),
        "attn.in_proj_bias": (3 * width,),
        "attn.out_proj.weight": (width, width),
        "attn.out_proj.bias": (width,),
        "ln_2.weight": (width,),
        "ln_2.bias": (width,),
        "mlp.c_fc.weight": (mlp, width),
        "mlp.c_fc.bias": (mlp,),
        "mlp.c_proj.weight": (width, mlp),
        "mlp.c_proj.bias": (width,),
    }
    if tower.layer_scale is not None:
        shapes |= {"ls_1.gamma": (width,), "ls_2.gamma": (width,)}
    return {prefix + name: shape for name, shape in shapes.items()}


def _shapes(spec: CLIPSpec, text: str, scale_shape: tuple[int, ...]) -> Shapes:
    vision, texts, embed = spec.vision, spec.text, spec.embed_dim
    assert vision and texts
    shapes: Shapes = {
        "visual.class_embedding": (vision.width,),
        "visual.positional_embedding": (vision.tokens, vision.width),
        "visual.proj": (vision.width, embed),
        "visual.conv1.weight": (vision.width, 3, *vision.patch_size),
        "visual.ln_post.weight": (vision.width,),
        "visual.ln_post.bias": (vision.width,),
        f"{text}positional_embedding": (texts.context_length, texts.width),
        f"{text}text_projection": (texts.width, embed),
        f"{text}token_embedding.weight": (texts.vocab_size, texts.width),
        f"{text}ln_final.weight": (texts.width,),
        f"{text}ln_final.bias": (texts.width,),
        "logit_scale": scale_shape,
    }
    if vision.ln_pre:
        shapes |= {"visual.ln_pre.weight": (vision.width,), "visual.ln_pre.bias": (vision.width,)}
    for prefix, tower in (("visual.", vision), (text, texts)):
        for index in range(tower.layers):
            shapes |= _block(f"{prefix}transformer.resblocks.{index}.", tower)
    return shapes


@pytest.fixture(scope="session")
def open_clip_tensors() -> Callable[..., Tensors]:
    """float32 tensors of a specification; ``text`` is CustomTextCLIP's prefix."""

    def build(spec: CLIPSpec, *, text: str = "", scale_shape: tuple[int, ...] = ()) -> Tensors:
        tensors: Tensors = {}
        start = 0
        for name, shape in _shapes(spec, text, scale_shape).items():
            end = start + math.prod(shape)
            tensors[name] = np.arange(start, end, dtype=np.float32).reshape(shape)
            start = end
        return tensors

    return build


@pytest.fixture(scope="session")
def expected_native() -> Callable[..., NDArray[Any]]:
    """What a native tensor has to hold, from open_clip's tensors: PaddleMIX's layout in words."""

    def expected(tensors: Tensors, name: str, *, text: str = "") -> NDArray[Any]:
        source = name if name.startswith(("visual.", "logit_scale")) else text + name
        for at, part in enumerate(("q", "k", "v")):
            if f".attn.{part}_proj." in source:
                packed = tensors[source.replace(f"attn.{part}_proj.", "attn.in_proj_")]
                third = len(packed) // 3
                return packed[at * third : (at + 1) * third].T  # a vector's transpose is itself
        if source.endswith((".out_proj.weight", ".c_fc.weight", ".c_proj.weight")):
            return tensors[source].T
        if name == "logit_scale":
            return tensors[source].reshape(1)
        return tensors[source]

    return expected


@pytest.fixture(scope="session")
def tiny_spec(tiny: Path) -> CLIPSpec:
    return open_clip.read(tiny / open_clip.CONFIG_NAME)
