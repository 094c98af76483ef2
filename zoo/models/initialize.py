"""Weights to start training from, equal in distribution to open_clip's.

open_clip draws its text tower as OpenAI did and leaves the image tower's layers to torch's
defaults, so the two towers differ.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from zoo.models.clip import CLIP
from zoo.spec import TextSpec, TowerSpec, VisionSpec
from zoo.spec.layout import Shape, native_shapes

Draw = Callable[[Generator, Shape], NDArray[np.float32]]

LOGIT_SCALE = math.log(1 / 0.07)
_PREFIX = re.compile(r"(visual\.)?(transformer\.resblocks\.\d+\.)?")


def initialize(model: CLIP, seed: int) -> CLIP:
    """Draws every parameter anew; a seed gives the same weights on every machine.

    Returns:
        The model, in training mode.
    """
    random = np.random.Generator(np.random.Philox(seed))
    parameters = dict(model.named_parameters())
    vision = {} if model.spec.vision is None else _vision_rules(model.spec.vision)
    text = {} if model.spec.text is None else _text_rules(model.spec.text)
    for name, shape in native_shapes(model.spec).items():
        rules = vision if name.startswith("visual.") else text
        draw = rules[_PREFIX.sub("", name, count=1)]
        parameters[name].set_value(draw(random, shape))
    model.train()
    return model


def _vision_rules(spec: VisionSpec) -> dict[str, Draw]:
    embedding = _normal(spec.width**-0.5)
    attention = _uniform(math.sqrt(6 / (spec.width + 3 * spec.width)))  # Xavier, q, k, v as one
    return {
        "class_embedding": embedding,
        "positional_embedding": embedding,
        "proj": embedding,
        "conv1.weight": _uniform_by_fan_in(3 * math.prod(spec.patch_size)),
        **_norm("ln_pre"),
        **_block(spec),
        **_linear("attn.q_proj", attention),
        **_linear("attn.k_proj", attention),
        **_linear("attn.v_proj", attention),
        **_linear("attn.out_proj", _uniform_by_fan_in(spec.width)),
        "mlp.c_fc.weight": _uniform_by_fan_in(spec.width),
        "mlp.c_proj.weight": _uniform_by_fan_in(spec.mlp_width),
        **_norm("ln_post"),
    }


def _text_rules(spec: TextSpec) -> dict[str, Draw]:
    attention = _normal(spec.width**-0.5)
    residual = _normal((spec.width * 2 * spec.layers) ** -0.5)
    return {
        "logit_scale": _constant(LOGIT_SCALE),
        "token_embedding.weight": _normal(0.02),
        "positional_embedding": _normal(0.01),
        "text_projection": _normal(spec.width**-0.5),
        **_block(spec),
        **_linear("attn.q_proj", attention),
        **_linear("attn.k_proj", attention),
        **_linear("attn.v_proj", attention),
        **_linear("attn.out_proj", residual),
        "mlp.c_fc.weight": _normal((2 * spec.width) ** -0.5),
        "mlp.c_proj.weight": residual,
        **_norm("ln_final"),
    }


def _block(spec: TowerSpec) -> dict[str, Draw]:
    """What both towers' blocks have in common."""
    gamma = _constant(1.0 if spec.layer_scale is None else spec.layer_scale)
    return {
        **_norm("ln_1"),
        **_norm("ln_2"),
        "mlp.c_fc.bias": _uniform_by_fan_in(spec.width),
        "mlp.c_proj.bias": _uniform_by_fan_in(spec.mlp_width),
        "ls_1.gamma": gamma,
        "ls_2.gamma": gamma,
    }


def _norm(name: str) -> dict[str, Draw]:
    return {f"{name}.weight": _constant(1.0), f"{name}.bias": _constant(0.0)}


def _linear(name: str, weight: Draw) -> dict[str, Draw]:
    return {f"{name}.weight": weight, f"{name}.bias": _constant(0.0)}


def _constant(value: float) -> Draw:
    return lambda random, shape: np.full(shape, value, np.float32)


def _normal(std: float) -> Draw:
    return lambda random, shape: random.normal(0.0, std, shape).astype(np.float32)


def _uniform(bound: float) -> Draw:
    return lambda random, shape: random.uniform(-bound, bound, shape).astype(np.float32)


def _uniform_by_fan_in(inputs: int) -> Draw:
    """torch's default for Linear and Conv2d, weight and bias."""
    return _uniform(inputs**-0.5)
