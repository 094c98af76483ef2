"""Checkpoints in shards: an index that names what it must not, or what is not so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.numpy import save

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import Make, good, tensors

TITLE = "Checkpoints in shards"
INDEX = "open_clip_model.safetensors.index.json"
SHARDS = ("one.safetensors", "two.safetensors")
OUTSIDE = ("which is not a file in its own folder", "Don't use this checkpoint")


def _sharded(at: Path) -> dict[str, Any]:
    """A checkpoint in two shards; its index."""
    folder = good(at / "in", weights=b"")
    (folder / "open_clip_model.safetensors").unlink()
    weights = tensors()
    of = {name: SHARDS[number % 2] for number, name in enumerate(weights)}
    for shard in SHARDS:
        content = {name: weights[name] for name in weights if of[name] == shard}
        (folder / shard).write_bytes(save(content))
    index = {"metadata": {}, "weight_map": of}
    (folder / INDEX).write_text(json.dumps(index))
    return index


def _naming(shard: str) -> Make:
    """An index that names one more file, which is there if it can be."""

    def make(at: Path) -> None:
        index = _sharded(at)
        index["weight_map"]["logit_scale"] = shard
        (at / "in" / INDEX).write_text(json.dumps(index))
        (at / "outside.safetensors").write_bytes(b"secret")

    return make


def _linked(at: Path) -> None:
    _sharded(at)
    shard = at / "in" / SHARDS[0]
    shard.rename(at / "outside.safetensors")
    shard.symlink_to(at / "outside.safetensors")


def _without(at: Path) -> None:
    _sharded(at)
    (at / "in" / SHARDS[1]).unlink()


def _swapped(at: Path) -> None:
    index = _sharded(at)
    index["weight_map"]["logit_scale"] = next(
        name for name in SHARDS if name != index["weight_map"]["logit_scale"]
    )
    (at / "in" / INDEX).write_text(json.dumps(index))


def _text(text: str) -> Make:
    def make(at: Path) -> None:
        _sharded(at)
        (at / "in" / INDEX).write_text(text)

    return make


def _refused(shard: str, input: str) -> Case:
    return Case(input=input, make=_naming(shard), code=4, name="PATH", says=OUTSIDE)


CASES = {
    "good": Case(input="a checkpoint in two shards", make=_sharded, code=0),
    "parent": _refused("../outside.safetensors", "an index that names `../outside.safetensors`"),
    "absolute": _refused("/etc/passwd", "an index that names an absolute path"),
    "url": _refused("https://example.org/a.safetensors", "an index that names a URL"),
    "backslash": _refused("..\\outside.safetensors", "an index that names a path with `\\`"),
    "nul": _refused("one.safetensors\0", "an index that names a path with NUL"),
    "hidden": _refused(".one.safetensors", "an index that names a hidden file"),
    "empty": _refused("", "an index that names nothing"),
    "long": _refused("a" * 10_000, "an index that names a file by 10,000 letters"),
    "folder": _refused(".", "an index that names its own folder"),
    "link": Case(
        input="a shard that is a link to a file elsewhere",
        make=_linked,
        code=4,
        name="PATH",
        says=OUTSIDE,
    ),
    "missing": Case(
        input="a shard that is not there",
        make=_without,
        code=6,
        name="NOTFOUND",
        says=("there is no such file", SHARDS[1]),
    ),
    "swapped": Case(
        input="an index that puts a tensor into the wrong shard",
        make=_swapped,
        code=4,
        name="FORMAT",
        says=("the index", "tensor 'logit_scale'"),
    ),
    "of-itself": Case(
        input="an index that names itself",
        make=_text(json.dumps({"weight_map": {"logit_scale": INDEX}})),
        code=4,
        name="FORMAT",
        says=("looks like JSON, and a shard holds tensors",),
    ),
    "not-json": Case(
        input="an index that is not JSON",
        make=_text('{"weight_map": '),
        code=4,
        name="FORMAT",
        says=("not JSON",),
    ),
    "no-map": Case(
        input="an index without a `weight_map`",
        make=_text('{"metadata": {}}'),
        code=4,
        name="FORMAT",
        says=("not like an index", "no weight_map"),
    ),
    "empty-map": Case(
        input="an index that maps nothing",
        make=_text('{"weight_map": {}}'),
        code=4,
        name="FORMAT",
        says=("maps no tensors",),
    ),
    "many": Case(
        input="an index that names 100,000 files",
        make=_text(json.dumps({"weight_map": {f"{n:x}": f"a{n:x}" for n in range(100_000)}})),
        code=4,
        name="FORMAT",
        says=("the index names 100000 files, and at most 4096 are read",),
    ),
    "not-a-name": Case(
        input="an index that maps a tensor to a number",
        make=_text('{"weight_map": {"logit_scale": 1}}'),
        code=4,
        name="FORMAT",
        says=("tensor 'logit_scale' is mapped to what is no file name",),
    ),
}
