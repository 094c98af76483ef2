from __future__ import annotations

import numpy as np
import pytest

from zoo.convert.readers.torch_legacy import read
from zoo.errors import FormatError, TruncatedError

FLOATS = np.arange(6, dtype=np.float32)


@pytest.fixture
def root(build):
    return {"a": build.vector("140", 6), "b": build.vector("7", 2)}


STORAGES = {"140": FLOATS.tobytes(), "7": FLOATS[4:].tobytes()}


def test_tensors_and_where_they_lie(build, mapped, root):
    file = mapped(build.torch_legacy(root, STORAGES))
    contents = read(file)
    assert contents.format == "torch-legacy"
    assert contents.layouts["a"].array(file).tolist() == FLOATS.tolist()
    assert contents.layouts["b"].array(file).tolist() == [4, 5]


def test_the_storages_order_is_the_files(build, mapped, root):
    reversed_storages = dict(reversed(STORAGES.items()))
    file = mapped(build.torch_legacy(root, reversed_storages))
    assert read(file).layouts["b"].array(file).tolist() == [4, 5]


def test_storages_of_ignored_parts_are_stepped_over(build, mapped):
    halves = build.tensor(build.storage("1", 3, "HalfStorage"), (3,), (1,))
    root = {"state_dict": {"w": build.vector("2", 6)}, "best": halves}
    data = build.torch_legacy(root, {"1": b"\0" * 6}, keys=["1", "2"], itemsize=2)
    file = mapped(data + (6).to_bytes(8, "little") + FLOATS.tobytes())
    assert read(file).layouts["w"].array(file).tolist() == FLOATS.tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"magic": 0x1950A86A20F9469CFC6D}, "not one that torch.save wrote"),
        ({"magic": "text"}, "not one that torch.save wrote"),
        ({"version": 1000}, "version"),
        ({"little_endian": False}, "big-endian"),
        ({"keys": ["140"]}, "bytes follow"),
        ({"keys": ["140", "8"]}, "no tensor is on the storage '8'"),
        ({"keys": [140, 7]}, "list of storages"),
        ({"keys": {"140": 1}}, "list of storages"),
        ({"keys": ["7", "140"]}, "size"),
    ],
)
def test_what_torch_never_writes(build, mapped, root, change, message):
    with pytest.raises(FormatError, match=message):
        read(mapped(build.torch_legacy(root, STORAGES, **change)))


def test_a_storage_that_is_not_listed(build, mapped, root):
    with pytest.raises(FormatError, match="'7' is not in the file"):
        read(mapped(build.torch_legacy(root, {"140": FLOATS.tobytes()})))


def test_an_impossible_count(build, mapped):
    root = {"a": build.vector("0", 2**62)}
    data = build.torch_legacy(root, {}, keys=["0"])
    with pytest.raises(TruncatedError, match=f"need {len(data) + 8 + 2**64}"):
        read(mapped(data + (2**62).to_bytes(8, "little")))


def test_every_truncation(build, mapped, root):
    whole = build.torch_legacy(root, STORAGES)
    for size in range(len(whole)):
        with pytest.raises(TruncatedError):
            read(mapped(whole[:size]))


def test_something_behind(build, mapped, root):
    with pytest.raises(FormatError, match="1 bytes follow the last storage"):
        read(mapped(build.torch_legacy(root, STORAGES) + b"x"))
