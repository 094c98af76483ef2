from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors import deserialize, safe_open
from safetensors.numpy import load_file, save_file

from tests.convert.converting import Listener, converted
from tests.folders import contents, names
from zoo.convert import provenance
from zoo.convert.chunks import DTYPES
from zoo.convert.tables import OPEN_CLIP, OPEN_CLIP_CUSTOM_TEXT, digest
from zoo.spec import CLIPSpec, native
from zoo.spec.layout import native_layout

Small = Any  # tests/conftest.py's


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("dtype", ["keep", "float32", "float16", "bfloat16"])
def test_the_bundled_checkpoint_becomes_what_paddlemix_s_layout_demands(
    tiny: Path,
    tiny_spec: CLIPSpec,
    tmp_path: Path,
    expected_native: Callable[..., NDArray[Any]],
    dtype: str,
) -> None:
    folder = converted(tiny, tmp_path / "out", dtype=dtype)
    files = contents(folder)
    assert list(files) == ["config.json", "model.safetensors", "provenance.json"]
    assert native.read(folder / native.CONFIG_NAME) == tiny_spec

    source = load_file(tiny / "open_clip_model.safetensors")
    stored = DTYPES["float32" if dtype == "keep" else dtype]
    code = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}[stored.name]
    found = dict(deserialize(files["model.safetensors"]))  # type: ignore[no-untyped-call]
    record = provenance.read(folder)
    assert found.keys() == record.tensors.keys() == native_layout(tiny_spec).keys()
    with safe_open(folder / "model.safetensors", "np") as file:
        assert file.offset_keys() == list(native_layout(tiny_spec))
    for name, entry in found.items():
        array = expected_native(source, name)
        cast = array.astype(stored)
        assert (entry["dtype"], entry["shape"]) == (code, list(array.shape))
        assert bytes(entry["data"]) == cast.tobytes(), name
        about = record.tensors[name]
        assert about.sha256 == sha256(cast.tobytes())
        assert (about.dtype, tuple(about.shape)) == (stored.name, array.shape)
        assert about.nonfinite == about.overflowed == 0
        assert about.vanished == np.count_nonzero((cast == 0) & (array != 0))


def test_provenance_tells_where_everything_comes_from(tiny: Path, tmp_path: Path) -> None:
    folder = converted(tiny, tmp_path / "out", dtype="float16")
    record = provenance.read(folder)
    assert (record.id, record.dtype, record.trust) == ("tiny", "float16", None)
    assert record.command == ["zoo", "convert", "./in"]
    assert record.mapping_digest == digest(OPEN_CLIP)
    assert (record.source.repo, record.source.commit) == (None, None)
    assert record.source.format == "open_clip"
    read = ["open_clip_config.json", "open_clip_model.safetensors"]
    for place, records, expected in (
        (tiny, record.source.files, read),
        (folder, record.files, ["config.json", "model.safetensors"]),
    ):
        assert [about.name for about in records] == expected
        for about in records:
            data = (place / about.name).read_bytes()
            assert (about.size, about.sha256) == (len(data), sha256(data))
    q = record.tensors["visual.transformer.resblocks.2.attn.q_proj.weight"]
    assert q.sources == ["visual.transformer.resblocks.2.attn.in_proj_weight"]
    assert q.action == "split 3, transpose"
    assert str(tmp_path) not in (folder / "provenance.json").read_text()


def test_the_same_command_gives_the_same_bytes(small: Small, tmp_path: Path) -> None:
    source = small.save(tmp_path / "in")
    cases: list[dict[str, Any]] = [{}, {"dtype": "bfloat16", "max_shard_size": 50_000}]
    for options in cases:
        first = contents(converted(source, tmp_path / "out", force=True, **options))
        again = contents(converted(source, tmp_path / "out", force=True, **options))
        assert first == again


def sharded(small: Small, folder: Path) -> Path:
    folder.mkdir()
    keys = list(small.tensors)
    parts = {"a.safetensors": keys[::2], "b.safetensors": keys[1::2]}
    for file, keys in parts.items():
        save_file({key: small.tensors[key] for key in keys}, folder / file)
    weight_map = {key: file for file, keys in parts.items() for key in keys}
    index = folder / "open_clip_model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))
    (folder / "open_clip_config.json").write_text(json.dumps(small.config))
    return folder


def renamed(small: Small, folder: Path, name: Callable[[str], str]) -> Path:
    small.save(folder)
    tensors = {name(key): array for key, array in small.tensors.items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def under_text(name: str) -> str:
    return name if name.startswith(("visual.", "logit_scale")) else f"text.{name}"


def test_the_same_weights_give_the_same_bytes_whatever_they_came_from(
    small: Small, tmp_path: Path
) -> None:
    scale = small.tensors["logit_scale"].reshape(1)
    sources = {
        "plain": small.save(tmp_path / "plain"),
        "sharded": sharded(small, tmp_path / "sharded"),
        "wrapped": renamed(small, tmp_path / "wrapped", lambda name: f"module.{name}"),
        "packed": renamed(small, tmp_path / "packed", under_text),
        "scale": small.save(tmp_path / "scale", tensors={"logit_scale": scale}),
        "renamed": small.save(tmp_path / "renamed", name="epoch_1.safetensors"),
    }
    out = {name: converted(path, tmp_path / f"{name}-out") for name, path in sources.items()}
    for name, folder in out.items():
        for file in ("model.safetensors", "config.json"):
            assert (folder / file).read_bytes() == (out["plain"] / file).read_bytes(), name
    packed, plain = (provenance.read(out[name]) for name in ("packed", "plain"))
    assert packed.tensors_digest == plain.tensors_digest
    assert packed.mapping_digest == digest(OPEN_CLIP_CUSTOM_TEXT) != plain.mapping_digest
    files = [about.name for about in provenance.read(out["sharded"]).source.files]
    assert files == [
        "open_clip_config.json",
        "open_clip_model.safetensors.index.json",
        "a.safetensors",
        "b.safetensors",
    ]


def test_shards_hold_the_same_tensors(small: Small, tmp_path: Path) -> None:
    source = small.save(tmp_path / "in")
    whole = provenance.read(converted(source, tmp_path / "whole"))
    folder = converted(source, tmp_path / "shards", max_shard_size=100_000)
    parts = provenance.read(folder)
    assert parts.tensors == whole.tensors
    assert parts.tensors_digest == whole.tensors_digest
    recorded = [about.name for about in parts.files]
    assert recorded == sorted(set(names(folder)) - {"provenance.json"})
    assert len(recorded) > 3


def test_what_is_no_weight_is_left_out_and_said(small: Small, tmp_path: Path) -> None:
    extra = {"attn_mask": np.zeros((3, 3), np.float32), "vocab_size": np.array(64)}
    source = small.save(tmp_path / "in", tensors=extra)
    record = provenance.read(converted(source, tmp_path / "out"))
    assert sorted(record.source.left_out) == ["attn_mask", "vocab_size"]
    assert not {"attn_mask", "vocab_size"} & record.tensors.keys()


def test_what_a_cast_did_is_said_and_recorded(small: Small, tmp_path: Path) -> None:
    values = np.array([1e6, -1e6, 1e-9, 1.0], np.float32)
    bias = np.resize(values, 32)
    source = small.save(tmp_path / "in", tensors={"ln_final.bias": bias})
    listener = Listener()
    record = provenance.read(converted(source, tmp_path / "out", listener, dtype="float16"))
    assert listener.said[-1].startswith("the cast made 16 values infinite and 8 zero")
    about = record.tensors["ln_final.bias"]
    assert (about.nonfinite, about.overflowed, about.vanished) == (0, 16, 8)


def test_progress_covers_every_byte_once(small: Small, tmp_path: Path) -> None:
    source = small.save(tmp_path / "in")
    converted(source, tmp_path / "out", Listener())
    converted(source, None, Listener())  # whose source is read before it is converted
