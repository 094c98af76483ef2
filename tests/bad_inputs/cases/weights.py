"""Weights that are read well and are not the model's."""

from __future__ import annotations

from typing import Any

import numpy as np
from safetensors.numpy import save

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import (
    BIN,
    Make,
    Tensors,
    tensors,
    torch_zip,
    with_file,
    with_weights,
)

TITLE = "Weights"
BIAS = "visual.ln_post.bias"


def _renamed(name: str) -> Make:
    return with_weights(lambda weights: weights.update({name: weights.pop(BIAS)}))


def _one(value: float) -> Make:
    def change(weights: Tensors) -> None:
        weights[BIAS] = weights[BIAS].copy()
        weights[BIAS][3] = value

    return with_weights(change)


def _less_a_layer(weights: Tensors) -> None:
    for name in [name for name in weights if ".resblocks.2." in name]:
        del weights[name]


def _integers(weights: Tensors) -> None:
    weights[BIAS] = weights[BIAS].astype(np.int64)


def _prefixed(state: dict[str, Any]) -> dict[str, Any]:
    return {f"module.{name}": value for name, value in state.items()}


def _half_prefixed(state: dict[str, Any]) -> dict[str, Any]:
    return {f"module.{name}" if "ln" in name else name: value for name, value in state.items()}


ALLOWED = ("convert", "{at}/in", "--out", "{at}/out", "--force", "--allow-nonfinite")
NAMES = ("1 tensors are missing and 1 are not expected",)

CASES = {
    "missing": Case(
        input="a tensor is missing",
        make=with_weights(lambda weights: weights.pop(BIAS)),
        code=4,
        name="MAPPING",
        says=("1 tensors are missing", f"missing: '{BIAS}'"),
    ),
    "extra": Case(
        input="a tensor too many",
        make=with_weights(lambda weights: weights.update(head=np.zeros(3, np.float32))),
        code=4,
        name="MAPPING",
        says=("1 are not expected", "not expected: 'head'"),
    ),
    "misspelt": Case(
        input="a tensor whose name is misspelt",
        make=_renamed("visual.ln_pots.bias"),
        code=4,
        name="MAPPING",
        says=(f"missing: '{BIAS}'; nearest: 'visual.ln_pots.bias'",),
    ),
    "layer": Case(
        input="one layer fewer than the configuration says",
        make=with_weights(_less_a_layer),
        code=4,
        name="MAPPING",
        says=("tensors are missing", ".resblocks.2."),
    ),
    "name-path": Case(
        input="a tensor named `../../x`",
        make=_renamed("../../x"),
        code=4,
        name="MAPPING",
        says=(*NAMES, "'../../x'"),
    ),
    "name-escapes": Case(
        input="a tensor whose name holds terminal escapes",
        make=_renamed("\x1b[31mred\x1b]0;title\x07"),
        code=4,
        name="MAPPING",
        says=(*NAMES, r"'\x1b[31mred"),
    ),
    "name-nul": Case(
        input="a tensor whose name holds NUL",
        make=_renamed("a\0b"),
        code=4,
        name="MAPPING",
        says=(*NAMES, r"'a\x00b'"),
    ),
    "name-emoji": Case(
        input="a tensor named in emoji",
        make=_renamed("🦜"),
        code=4,
        name="MAPPING",
        says=(*NAMES, r"'\U0001f99c'"),
    ),
    "name-long": Case(
        input="a tensor with a name of 10 KB",
        make=_renamed("x" * 10_000),
        code=4,
        name="MAPPING",
        says=(*NAMES, "'" + "x" * 80 + "'..."),
    ),
    "nan": Case(
        input="one NaN",
        make=_one(np.nan),
        code=4,
        name="NONFINITE",
        says=("1 values are NaN or infinite", BIAS, "--allow-nonfinite"),
    ),
    "infinite": Case(
        input="one infinite value",
        make=_one(-np.inf),
        code=4,
        name="NONFINITE",
        says=("1 values are NaN or infinite", BIAS),
    ),
    "nan-allowed": Case(
        input="one NaN, and `--allow-nonfinite`", make=_one(np.nan), command=ALLOWED, code=0
    ),
    "integers": Case(
        input="a weight of whole numbers",
        make=with_weights(_integers),
        code=4,
        name="FORMAT",
        says=("a weight of type int64", BIAS),
    ),
    "another-model": Case(
        input="a checkpoint of something else",
        make=with_file(save({"bert.embeddings.weight": np.zeros((2, 2), np.float32)})),
        code=4,
        name="FORMAT",
        says=("no CLIP that zoo knows: 'bert.embeddings.weight'", "zoo reads CLIP checkpoints"),
    ),
    "data-parallel": Case(
        input="names with the prefix `module.` of data-parallel training",
        make=with_file(lambda: torch_zip(tensors(), _prefixed), BIN),
        code=0,
    ),
    "half-prefixed": Case(
        input="the prefix `module.` before some names",
        make=with_file(lambda: torch_zip(tensors(), _half_prefixed), BIN),
        code=4,
        name="FORMAT",
        says=("some names have the prefix 'module.'", "some have not"),
    ),
}
