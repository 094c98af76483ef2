from __future__ import annotations

import zipfile

import numpy as np
import pytest

from zoo.convert.readers.torch_zip import read
from zoo.errors import FormatError, TruncatedError

FLOATS = np.arange(6, dtype=np.float32)


@pytest.fixture
def root(build):
    return {"w": build.vector("0", 6)}


def test_tensors_and_where_they_lie(build, mapped, root):
    file = mapped(build.torch_zip(root, {"0": FLOATS.tobytes()}, {"byteorder": b"little"}))
    contents = read(file)
    assert contents.format == "torch-zip"
    assert contents.layouts["w"].array(file).tolist() == FLOATS.tolist()


def test_big_endian(build, mapped, root):
    file = mapped(build.torch_zip(root, {"0": FLOATS.tobytes()}, {"byteorder": b"big"}))
    with pytest.raises(FormatError, match="big-endian"):
        read(file)


def test_torchscript(build, mapped, root):
    code = {"constants.pkl": b"", "code/__torch__.py": b"raise SystemExit"}
    with pytest.raises(FormatError, match="TorchScript") as caught:
        read(mapped(build.torch_zip(root, {"0": FLOATS.tobytes()}, code)))
    assert "Hugging Face" in caught.value.remedy


@pytest.mark.parametrize(
    "names",
    [
        [],
        ["word/document.xml", "[Content_Types].xml"],
        ["data.pkl"],
        ["a/b/data.pkl"],
        ["a/data.pkl", "b/data.pkl"],
        ["arr_0.npy"],
    ],
)
def test_other_archives(build, mapped, names):
    with pytest.raises(FormatError, match=r"not one that torch\.save wrote"):
        read(mapped(build.archive(dict.fromkeys(names, b""))))


def test_a_compressed_storage(build, mapped, root):
    records = {"archive/data.pkl": build.pickle(root), "archive/data/0": FLOATS.tobytes()}
    with pytest.raises(FormatError, match="compressed"):
        read(mapped(build.archive(records, compression=zipfile.ZIP_DEFLATED)))


def test_a_storage_that_is_missing_or_of_another_size(build, mapped, root):
    with pytest.raises(FormatError, match="no record 'archive/data/0'"):
        read(mapped(build.torch_zip(root, {})))
    for size in (0, 20, 28):
        with pytest.raises(FormatError, match=f"'w' has {size} bytes, not 24"):
            read(mapped(build.torch_zip(root, {"0": b"\0" * size})))


@pytest.mark.parametrize("key", ["../data.pkl", "\ud800", "", "0/../0"])
def test_a_key_is_only_a_name(build, mapped, key):
    identity = build.storage("KEY", 6).replace(
        build.pickled("KEY"),
        b"X"
        + len(key.encode("utf-8", "surrogatepass")).to_bytes(4, "little")
        + key.encode("utf-8", "surrogatepass"),
    )
    root = {"w": build.tensor(build.Raw(identity), (6,), (1,))}
    with pytest.raises(FormatError, match="no record"):
        read(mapped(build.torch_zip(root, {"0": FLOATS.tobytes()})))


def test_bytes_behind_the_pickle(build, mapped, root):
    records = {
        "archive/data.pkl": build.pickle(root) + b"more",
        "archive/data/0": FLOATS.tobytes(),
    }
    with pytest.raises(FormatError, match="4 bytes follow the pickle"):
        read(mapped(build.archive(records)))


def test_the_parts_that_are_ignored_need_not_be_there(build, mapped, root):
    training = {"state_dict": root, "optimizer": {"state": build.vector("1", 6)}}
    contents = read(mapped(build.torch_zip(training, {"0": FLOATS.tobytes()})))
    assert contents.ignored == {"optimizer": "dict of 1"}


def test_every_truncation(build, mapped, root):
    whole = build.torch_zip(root, {"0": FLOATS.tobytes()})
    for size in range(len(whole)):
        with pytest.raises(TruncatedError):
            read(mapped(whole[:size]))
