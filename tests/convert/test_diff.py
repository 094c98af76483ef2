from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert import chunks
from zoo.convert.diff import Diff, diff
from zoo.convert.run import Options, convert
from zoo.convert.source import find_source
from zoo.errors import FormatError
from zoo.spec import open_clip
from zoo.talk import Silence

Small = Any  # tests/conftest.py's


def converted(source: Path, out: Path, dtype: str = "keep") -> Path:
    options = Options(command=("zoo",), dtype=dtype)
    return convert(find_source(str(source)), source, out, options, Silence())


def compared(a: Path, b: Path) -> Diff:
    return diff(a, b, arch=None, talk=Silence())


@pytest.fixture
def source(small: Small, tmp_path: Path) -> Path:
    saved: Path = small.save(tmp_path / "in")
    return saved


def test_a_conversion_equals_what_it_came_from(source: Path, tmp_path: Path) -> None:
    found = compared(converted(source, tmp_path / "out"), source)
    assert found == Diff(equal=94, different=(), only_a=(), only_b=())
    assert found.same


def test_shards_and_one_file_are_the_same_checkpoint(source: Path, tmp_path: Path) -> None:
    options = Options(command=("zoo",), max_shard_size=100_000)
    shards = convert(find_source(str(source)), source, tmp_path / "out", options, Silence())
    assert compared(shards, source).same


def test_one_other_value_is_found_and_measured(
    source: Path, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "PIECE", 1000)
    proj = small.tensors["visual.proj"].copy()
    proj[0, 0] += 0.25  # in the first of several pieces
    other = small.save(tmp_path / "other", tensors={"visual.proj": proj})
    found = compared(source, other)
    assert (found.equal, len(found.different), found.same) == (93, 1, False)
    (one,) = found.different
    assert one.name == "visual.proj"
    assert one.largest == pytest.approx(0.25, rel=1e-6)  # float32 rounds the sum
    assert not one.only_cast


def test_a_difference_of_a_bit_is_one(source: Path, small: Small, tmp_path: Path) -> None:
    zero = np.zeros(32, np.float32)
    a = small.save(tmp_path / "a", tensors={"ln_final.bias": zero})
    b = small.save(tmp_path / "b", tensors={"ln_final.bias": -zero})
    (one,) = compared(a, b).different
    assert one.largest == 0.0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_a_cast_and_no_more_is_told(source: Path, tmp_path: Path, dtype: str) -> None:
    half = converted(source, tmp_path / "half", dtype)
    for a, b in ((source, half), (half, source)):
        found = compared(a, b)
        assert not found.same
        assert all(one.only_cast for one in found.different)
        assert {frozenset(one.dtypes) for one in found.different} == {frozenset({"float32", dtype})}
        assert all(one.largest is not None and one.largest < 0.05 for one in found.different)


def test_a_cast_between_types_of_one_size_is_one_from_either_side(
    source: Path, tmp_path: Path
) -> None:
    config = converted(source, tmp_path / "native", "keep") / "config.json"
    wide = np.array([1e30, 1e-30, 1.0], ml_dtypes.bfloat16)  # too large, and too small
    with np.errstate(over="ignore"):
        narrow = wide.astype(np.float16)
    a = native(tmp_path / "a", config, one=wide)
    b = native(tmp_path / "b", config, one=narrow)
    assert [compared(*pair).different[0].only_cast for pair in ((a, b), (b, a))] == [True, True]


def test_more_than_a_cast_is_told(source: Path, small: Small, tmp_path: Path) -> None:
    half = converted(source, tmp_path / "half", "float16")
    bias = small.tensors["ln_final.bias"] + 1
    other = small.save(tmp_path / "other", tensors={"ln_final.bias": bias})
    moved = [one.name for one in compared(half, other).different if not one.only_cast]
    assert moved == ["ln_final.bias"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_no_numbers_have_no_difference(
    source: Path, small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    monkeypatch.setattr(chunks, "PIECE", 100)  # so that pieces without such values come before
    broken = small.tensors["visual.proj"].copy()
    broken[-1, -1] = value
    other = small.save(tmp_path / "other", tensors={"visual.proj": broken})
    for a, b in ((source, other), (other, source)):
        (one,) = compared(a, b).different
        assert one.largest is None
    assert compared(other, other).same


def native(folder: Path, config: Path, **tensors: Any) -> Path:
    """A folder as zoo writes it, with whatever tensors."""
    folder.mkdir()
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(config.read_text())
    return folder


def test_other_names_and_shapes_are_told(source: Path, tmp_path: Path) -> None:
    config = converted(source, tmp_path / "out") / "config.json"
    one, two = np.zeros(1, np.float32), np.zeros((2, 0), np.float32)
    a = native(tmp_path / "a", config, a=one, both=two, shape=one)
    b = native(tmp_path / "b", config, b=one, both=two.astype(np.float16), shape=two)
    found = compared(a, b)
    assert (found.equal, found.only_a, found.only_b) == (0, ("a",), ("b",))
    by_name = {d.name: d for d in found.different}
    assert by_name["both"].largest == 0.0
    assert by_name["both"].only_cast
    assert by_name["shape"].shapes == ((1,), (2, 0))
    assert by_name["shape"].largest is None


def test_bare_weights_take_an_architecture(source: Path, tmp_path: Path) -> None:
    spec = open_clip.read(source / open_clip.CONFIG_NAME)
    bare = tmp_path / "bare" / "epoch_1.safetensors"
    bare.parent.mkdir()
    save_file(load_file(source / "open_clip_model.safetensors"), bare)
    assert diff(bare, bare, arch=spec, talk=Silence()).same


def test_what_is_no_checkpoint_is_refused(source: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    save_file({"a": np.zeros(1, np.float32)}, other)
    with pytest.raises(FormatError, match="no CLIP that zoo knows"):
        compared(source, other)
    assert json.loads((source / open_clip.CONFIG_NAME).read_text())
