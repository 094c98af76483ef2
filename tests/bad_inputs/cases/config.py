"""Configurations that can't be, that contradict the weights, or that contradict the zoo."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import CONFIG, Config, Make, good, with_config

TITLE = "Configurations"
B32 = "CLIP-ViT-B-32-laion2B-s34B-b79K"


def _set(tower: str, key: str, value: object) -> Make:
    def change(configuration: Config) -> None:
        part: dict[str, Any] = configuration["model_cfg"]
        (part[tower] if tower else part)[key] = value

    return with_config(change)


def _text(content: bytes) -> Make:
    return lambda at: good(at / "in", configuration=content)


def _fields(count: int) -> bytes:
    names = [f"{number:06x}" for number in (*range(count), count - 1)]
    return ("{" + ",".join(f'"{name}":0' for name in names) + "}").encode()


def _without(at: Path) -> None:
    (good(at / "in") / CONFIG).unlink()


def _contradicts(input: str, make: Make, *says: str) -> Case:
    return Case(input=input, make=make, code=4, name="CONFIG", says=says)


CASES = {
    "width": _contradicts(
        "a width that is not the tensors'",
        _set("vision_cfg", "width", 96),
        "96",
        "80",
    ),
    "heads": _contradicts(
        "heads that do not share the width evenly",
        _set("text_cfg", "heads", 5),
        "width 32 can't be shared by 5 heads",
    ),
    "patch": _contradicts(
        "a patch size that is not the tensors'", _set("vision_cfg", "patch_size", 16), "16", "8"
    ),
    "embed-dim": _contradicts(
        "an embedding that is not the tensors'", _set("", "embed_dim", 64), "64", "48"
    ),
    "zero-width": _contradicts(
        "a width of 0", _set("vision_cfg", "width", 0), "width is 0", "at least 1"
    ),
    "negative-layers": _contradicts(
        "a negative number of layers", _set("vision_cfg", "layers", -1), "layers is -1"
    ),
    "huge-layers": _contradicts(
        "10^9 layers", _set("vision_cfg", "layers", 10**9), "layers is 1000000000", "below 1025"
    ),
    "bool-number": _contradicts(
        "`true` where a number belongs", _set("", "embed_dim", True), "embed_dim is True"
    ),
    "text-number": _contradicts(
        "a text where a number belongs", _set("vision_cfg", "width", "80"), "width is '80'"
    ),
    "unknown-field": _contradicts(
        "a field that zoo does not know",
        _set("vision_cfg", "swish", True),
        "unknown field swish: zoo can't tell what it changes",
    ),
    "unsupported": _contradicts(
        "a kind of model that zoo does not compute",
        _set("vision_cfg", "timm_model_name", "convnext_base"),
        "timm_model_name",
    ),
    "epsilon": _contradicts(
        "an epsilon that Paddle's LayerNorm does not take",
        _set("vision_cfg", "norm_kwargs", {"eps": 0.01}),
        "a norm's epsilon of 0.01 is not supported",
    ),
    "no-config": Case(
        input="no configuration beside the weights",
        make=_without,
        code=2,
        name="USAGE",
        says=("has no open_clip_config.json beside it", "--arch"),
    ),
    "not-json": Case(
        input="a configuration that is not JSON",
        make=_text(b"{"),
        code=4,
        name="FORMAT",
        says=("not JSON", "at its byte 1", CONFIG),
    ),
    "not-utf-8": Case(
        input="a configuration that is not UTF-8",
        make=_text(b'{"\xff": 1}'),
        code=4,
        name="FORMAT",
        says=("not UTF-8 at its byte 2", CONFIG),
    ),
    "array": Case(
        input="a configuration that is a JSON array",
        make=_text(b"[]"),
        code=4,
        name="FORMAT",
        says=("the file is not a JSON object",),
    ),
    "deep": Case(
        input="a configuration nested 100,000 deep",
        make=_text(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        code=4,
        name="FORMAT",
        says=("nested too deep",),
    ),
    "nan": Case(
        input="a configuration with NaN",
        make=_text(b'{"model_cfg": {"embed_dim": NaN}}'),
        code=4,
        name="FORMAT",
        says=("NaN is no finite number",),
    ),
    "twice": Case(
        input="a configuration that says something twice",
        make=_text(b'{"model_cfg": {}, "model_cfg": {}}'),
        code=4,
        name="FORMAT",
        says=("the key 'model_cfg' appears twice",),
    ),
    "many-keys": Case(
        input="a configuration of 4 MB that says the last of its 380,000 fields twice",
        make=lambda at: good(at / "in", configuration=_fields(380_000)),
        code=4,
        name="FORMAT",
        says=("the key '05cc5f' appears twice",),
    ),
    "large": Case(
        input="a configuration of 5 MB",
        make=_text(json.dumps({"a": "x" * 5_000_000}).encode()),
        code=4,
        name="FORMAT",
        says=("too large for a configuration",),
    ),
    "manifest": Case(
        input="a configuration that contradicts the manifest of the model it is said to be",
        make=lambda at: good(at / "in"),
        command=("convert", "{at}/in", "--id", B32, "--out", "{at}/out", "--force"),
        code=4,
        name="CONFIG",
        says=(
            f"contradicts the manifest of {B32}",
            "the file says quick_gelu, the manifest gelu",
            "--trust file or --trust manifest",
        ),
    ),
    "unknown-arch": Case(
        input="`--arch` with a name that open_clip does not have",
        make=_without,
        command=("convert", "{at}/in", "--arch", "ViT-B-23", "--out", "{at}/out", "--force"),
        code=4,
        name="CONFIG",
        says=("there is no architecture 'ViT-B-23'", "Did you mean"),
    ),
}
