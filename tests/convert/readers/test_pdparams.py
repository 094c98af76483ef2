from __future__ import annotations

import os
import pickle
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from zoo.convert.readers import open_checkpoint
from zoo.convert.readers.pdparams import read
from zoo.convert.readers.recognise import Kind, recognise
from zoo.errors import FormatError, TruncatedError

FLOATS = np.arange(12, dtype=np.float32).reshape(3, 4)


def test_a_plain_dict_of_arrays(mapped):
    arrays = {"b": FLOATS, "a": np.float16([[1.5]]), "zero": np.array(3, np.float32), "": FLOATS}
    file = mapped(pickle.dumps(arrays, protocol=4))
    assert recognise(file) is Kind.PDPARAMS
    contents = read(file)
    assert (contents.format, list(contents.layouts), contents.ignored) == (
        "pdparams",
        list(arrays),
        {},
    )
    for name, array in arrays.items():
        found = contents.layouts[name].array(file)
        assert found.dtype == array.dtype
        assert np.array_equal(found, array)
        assert not found.flags.writeable


@pytest.mark.parametrize("protocol", [3, 4])
def test_arrays_in_fortran_order_and_of_every_type(mapped, protocol):
    arrays = {
        "fortran": np.asfortranarray(FLOATS),
        "f8": FLOATS.astype(np.float64),
        "i8": FLOATS.astype(np.int64),
        "i4": FLOATS.astype(np.int32),
        "bool": FLOATS > 2,
        "empty": np.zeros((0, 3), np.float32),
    }
    file = mapped(pickle.dumps(arrays, protocol=protocol))
    for name, layout in read(file).layouts.items():
        assert layout.array(file).dtype == arrays[name].dtype
        assert np.array_equal(layout.array(file), arrays[name]), name


def test_paddle_writes_bfloat16_as_uint16(mapped):
    values = np.array([1.5, -2, 3e38], ml_dtypes.bfloat16)
    file = mapped(pickle.dumps({"a": values.view(np.uint16)}, protocol=4))
    found = read(file).layouts["a"].array(file)
    assert found.dtype == ml_dtypes.bfloat16
    assert np.array_equal(found, values)


def test_what_a_training_run_keeps_beside_is_named(mapped):
    whole = {"state_dict": {"a": FLOATS}, "step": 3, "StructuredToParameterName@@": {"a": "w_0"}}
    contents = read(mapped(pickle.dumps(whole, protocol=4)))
    assert list(contents.layouts) == ["a"]
    assert contents.ignored == {"step": "3", "StructuredToParameterName@@": "dict of 1"}


@pytest.mark.paddle
def test_what_paddle_itself_writes(tmp_path: Path):
    paddle = pytest.importorskip("paddle", reason="the extra `cpu` is not installed")
    layer = paddle.nn.Linear(3, 4)
    tensors = layer.state_dict()
    paddle.save(tensors, str(tmp_path / "flat.pdparams"))
    paddle.save({"state_dict": dict(tensors)}, str(tmp_path / "nested.pdparams"))
    for name in ("flat", "nested"):
        with open_checkpoint(tmp_path / f"{name}.pdparams") as checkpoint:
            assert checkpoint.tensors.keys() == {"weight", "bias"}
            for key, value in tensors.items():
                assert np.array_equal(checkpoint.tensor(key), value.numpy()), (name, key)


class Evil:
    def __reduce__(self):
        return os.mkdir, ("canary",)


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_nothing_is_run(mapped, tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    data = pickle.dumps({"a": Evil()}, protocol=protocol)
    with pytest.raises(FormatError, match=r"would have .*mkdir.* imported") as caught:
        read(mapped(data))
    assert "nothing was run" in caught.value.what
    assert not (tmp_path / "canary").exists()
    pickle.loads(data)  # the test can tell: python itself runs it
    assert (tmp_path / "canary").exists()


def array_state(**changes):
    """An array whose state is another than numpy's."""
    fields = {"version": 1, "shape": (3,), "dtype": np.dtype("<f4"), "order": False}
    fields |= {"data": b"\0" * 12, **changes}

    class Array:
        def __reduce__(self):
            return np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"), tuple(fields.values())

    return pickle.dumps({"a": Array()}, protocol=4)


def test_a_state_as_numpy_s_is_read(mapped):
    assert read(mapped(array_state())).layouts["a"].shape == (3,)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (array_state(version=2), "described as numpy never does"),
        (array_state(data="text"), "described as numpy never does"),
        (array_state(order=None), "described as numpy never does"),
        (array_state(dtype=np.dtype(">f4")), "type that is not read"),
        (array_state(dtype=np.dtype("<c8")), "type that is not read"),
        (array_state(dtype=np.dtype("<U3")), "type that is not read"),
        (array_state(shape=(4,)), "needs 16 bytes and has 12"),
        (array_state(shape=(-3,)), "not a list of sizes"),
        (array_state(shape=(2**40, 2**40)), "too large to be addressed"),
        (pickle.dumps({"a": 3}, protocol=4), "is no tensor but 3"),
        (pickle.dumps({"x": {"a": FLOATS}}, protocol=4), "is no tensor but dict of 1"),
        (pickle.dumps([FLOATS], protocol=4), "the checkpoint is no dict of tensors but list"),
        (pickle.dumps({3: FLOATS}, protocol=4), "a key that is no string but 3"),
        (pickle.dumps({"a": FLOATS}, protocol=2), "protocol 2, in which arrays are text"),
        (pickle.dumps({"UnpackBigParamInfor@@": {}}, protocol=4), "split into parts"),
        (pickle.dumps({"a": FLOATS}, protocol=4) + b"x", "1 bytes follow the pickle"),
        (pickle.dumps({"a": np.array([None])}, protocol=4), "described as numpy never does"),
    ],
)
def test_what_is_no_checkpoint_is_refused(mapped, data, message):
    with pytest.raises(FormatError) as caught:
        read(mapped(data))
    assert message in caught.value.what


def test_a_file_cut_short_is_told_apart(mapped):
    whole = pickle.dumps({"a": FLOATS, "b": FLOATS}, protocol=4)
    for length in range(12, len(whole)):
        with pytest.raises((TruncatedError, FormatError)):
            read(mapped(whole[:length]))
