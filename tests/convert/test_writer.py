from __future__ import annotations

import errno
import hashlib
import json
import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import deserialize, safe_open
from safetensors.numpy import load_file

from zoo.convert.chunks import DTYPES, NAMES, PIECE, Array, Counts
from zoo.convert.stream import Tensor
from zoo.convert.writer import INDEX_NAME, WEIGHTS_NAME, write_checkpoint
from zoo.errors import AccessError, DiskError, ZooError


def tensor(name: str, array: Array, dtype: str | None = None) -> Tensor:
    stored = dtype or NAMES[array.dtype]
    return Tensor(name=name, shape=array.shape, dtype=stored, produce=lambda: array)


def write(folder: Path, tensors: list[Tensor], max_shard_size: int | None = None) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    advanced: list[int] = []
    written = write_checkpoint(
        folder, tensors, max_shard_size=max_shard_size, advance=advanced.append
    )
    assert sum(advanced) == sum(t.nbytes for t in tensors)
    return dict(written)


def header(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    parsed: dict[str, Any] = json.loads(data[8 : 8 + length])
    return parsed


def entries(path: Path) -> list[tuple[str, dict[str, Any]]]:
    """Names, types, shapes and bytes, as the library finds them."""
    return sorted(deserialize(path.read_bytes()))  # type: ignore[no-untyped-call]


ARRAYS: dict[str, Array] = {
    "b": np.arange(15, dtype=np.float32).reshape(5, 3),
    "a": np.arange(12, dtype=np.float32).reshape(4, 3).T,
    "scalar": np.array(2.5, dtype=np.float32),
    "empty": np.zeros((0, 3), dtype=np.float32),
}


def test_the_library_reads_what_is_written(tmp_path: Path) -> None:
    write(tmp_path, [tensor(name, array) for name, array in ARRAYS.items()])
    found = load_file(tmp_path / WEIGHTS_NAME)
    assert found.keys() == ARRAYS.keys()
    for name, array in ARRAYS.items():
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape


@pytest.mark.parametrize(
    ("dtype", "code"),
    [("float64", "F64"), ("float32", "F32"), ("float16", "F16"), ("bfloat16", "BF16")],
)
def test_every_type_is_safetensors_own(tmp_path: Path, dtype: str, code: str) -> None:
    array = np.linspace(-3, 3, 35).reshape(5, 7)
    write(tmp_path, [tensor("a", array.T, dtype)])
    ((name, found),) = entries(tmp_path / WEIGHTS_NAME)
    assert (name, found["dtype"], found["shape"]) == ("a", code, [7, 5])
    assert bytes(found["data"]) == array.T.astype(DTYPES[dtype]).tobytes()


def test_the_metadata_is_what_paddle_s_libraries_accept(tmp_path: Path) -> None:
    write(tmp_path, [tensor(name, array) for name, array in ARRAYS.items()], 70)
    for path in tmp_path.glob("*.safetensors"):
        assert header(path)["__metadata__"] == {"format": "np"}
        with safe_open(path, "np") as file:
            assert file.metadata() == {"format": "np"}


@pytest.mark.parametrize("letters", range(8))  # so that the header has every length, modulo 8
def test_tensors_of_mixed_types_are_aligned_and_keep_their_order(
    tmp_path: Path, letters: int
) -> None:
    types = ["float16", "float32", "bfloat16", "float64", "float16", "float32"]
    tensors = [tensor(f"t{i}", np.ones(2 * i + 1), dtype) for i, dtype in enumerate(types)]
    write(tmp_path, [*tensors, tensor("z" * letters, np.ones(1), "float16")])
    path = tmp_path / WEIGHTS_NAME
    start = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    entries = header(path)
    for one in tensors:
        begin = entries[one.name]["data_offsets"][0]
        assert (start + begin) % DTYPES[one.dtype].itemsize == 0
    del entries["__metadata__"]
    in_file = sorted(entries, key=lambda name: entries[name]["data_offsets"])
    assert in_file == ["t3", "t1", "t5", "t0", "t2", "t4", "z" * letters]


def test_digests_and_counts_are_those_of_the_written_bytes(tmp_path: Path) -> None:
    array = np.array([1.0, 1e6, 1e-9, np.inf], dtype=np.float32)
    written = write(tmp_path, [tensor("a", array, "float16"), tensor("b", array)])
    ((_, a), (_, b)) = entries(tmp_path / WEIGHTS_NAME)
    assert written["a"].sha256 == hashlib.sha256(a["data"]).hexdigest()
    assert written["b"].sha256 == hashlib.sha256(b["data"]).hexdigest()
    assert written["a"].counts == Counts(nonfinite=1, overflowed=1, vanished=1)
    assert written["b"].counts == Counts(nonfinite=1)


def test_shards_keep_to_their_size(tmp_path: Path) -> None:
    # Of 40, 40, 40, 400 and 40 bytes.
    arrays = {name: np.full(100 if name == "d" else 10, 1, np.float32) for name in "abcde"}
    write(tmp_path, [tensor(name, array) for name, array in arrays.items()], 100)
    index = json.loads((tmp_path / INDEX_NAME).read_text())
    assert index == {
        "metadata": {"total_size": 560},
        "weight_map": {
            "a": "model-00001-of-00004.safetensors",
            "b": "model-00001-of-00004.safetensors",
            "c": "model-00002-of-00004.safetensors",
            "d": "model-00003-of-00004.safetensors",
            "e": "model-00004-of-00004.safetensors",
        },
    }
    assert {p.name for p in tmp_path.iterdir()} == {INDEX_NAME, *index["weight_map"].values()}
    for name, shard in index["weight_map"].items():
        assert np.array_equal(load_file(tmp_path / shard)[name], arrays[name])


@pytest.mark.parametrize("size", [None, 1, 100, 1000])
def test_what_fits_into_one_file_has_no_index(tmp_path: Path, size: int | None) -> None:
    write(tmp_path, [tensor("a", np.ones(25, np.float32))], size)
    assert [path.name for path in tmp_path.iterdir()] == [WEIGHTS_NAME]


def test_which_thread_is_first_leaves_no_trace(tmp_path: Path) -> None:
    def late(name: str, array: Array, seconds: float) -> Tensor:
        def produce() -> Array:
            time.sleep(seconds)
            return array

        return Tensor(name=name, shape=array.shape, dtype="float32", produce=produce)

    results = []
    for delays in ((0.02, 0.0, 0.01), (0.0, 0.02, 0.0)):
        folder = tmp_path / str(delays)
        arrays = [np.full(5, i, np.float32) for i in range(3)]
        write(folder, [late(f"t{i}", arrays[i], delays[i]) for i in range(3)])
        results.append((folder / WEIGHTS_NAME).read_bytes())
    assert results[0] == results[1]


def test_what_the_system_does_not_take_at_once_is_written_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = [tensor(name, array) for name, array in ARRAYS.items()]
    write(tmp_path / "whole", tensors)
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda handle, data, at: pwrite(handle, data[:7], at))
    write(tmp_path / "bit by bit", tensors)
    whole, bits = (tmp_path / name / WEIGHTS_NAME for name in ("whole", "bit by bit"))
    assert whole.read_bytes() == bits.read_bytes()


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskError), (errno.EFBIG, DiskError), (errno.EACCES, AccessError)],
)
def test_the_system_s_refusal_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    kind: type[ZooError],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, call, refuse)
    with pytest.raises(kind):
        write(tmp_path, [tensor(name, array) for name, array in ARRAYS.items()])


def test_a_tensor_that_can_t_be_made_stops_the_others(tmp_path: Path) -> None:
    made: list[int] = []

    def produce(number: int) -> Callable[[], Array]:
        def make() -> Array:
            if number == 0:
                raise DiskError("gone")
            made.append(number)
            time.sleep(0.01)
            return np.zeros(1, np.float32)

        return make

    tensors = [
        Tensor(name=str(i), shape=(1,), dtype="float32", produce=produce(i)) for i in range(200)
    ]
    threads = threading.active_count()
    with pytest.raises(DiskError, match="gone"):
        write(tmp_path, tensors)
    assert len(made) < 100
    assert threading.active_count() == threads


def test_memory_does_not_grow_with_the_tensor(tmp_path: Path) -> None:
    array = np.zeros((4096, 4096), np.float32).T  # 67 MB, and every piece has to be copied
    tracemalloc.start()
    write(tmp_path, [tensor("a", array, "float16"), tensor("b", array, "float16")])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # Two threads, each with a piece: a copy in float32, its cast to float16, and four masks.
    assert peak < 2 * PIECE * (4 + 2 + 4) * 1.05
