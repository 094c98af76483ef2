from __future__ import annotations

import codecs
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


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_arrays_in_fortran_order_and_of_every_type(mapped, protocol):
    arrays = {
        "fortran": np.asfortranarray(FLOATS),
        "f8": FLOATS.astype(np.float64),
        "i8": FLOATS.astype(np.int64),
        "i4": FLOATS.astype(np.int32),
        "bool": FLOATS > 2,
        "empty": np.zeros((0, 3), np.float32),
        "long": np.arange(40_000, dtype=np.int32).reshape(200, 200),
        "long fortran": np.asfortranarray(np.arange(40_000, dtype=np.float32).reshape(100, 400)),
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


def equal(path: Path, tensors) -> None:  # type: ignore[no-untyped-def]
    with open_checkpoint(path) as checkpoint:
        assert checkpoint.tensors.keys() == tensors.keys()
        for key, value in tensors.items():
            found, expected = checkpoint.tensor(key), value.numpy()
            assert found.shape == expected.shape and not found.flags.writeable, key
            assert found.tobytes() == expected.tobytes(), key
            assert (found.dtype == ml_dtypes.bfloat16) == (value.dtype.name == "BFLOAT16"), key


@pytest.mark.paddle
@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_what_paddle_itself_writes(tmp_path: Path, protocol: int):
    paddle = pytest.importorskip("paddle", reason="the extra `cpu` is not installed")
    tensors = {
        **paddle.nn.Linear(300, 40).state_dict(),
        "half": paddle.randn([3, 5]).astype("float16"),
        "brain": paddle.randn([3, 5]).astype("bfloat16"),
        "scalar": paddle.to_tensor(2.5),
        "empty": paddle.zeros([0, 3]),
    }
    for name, content in (("flat", dict(tensors)), ("nested", {"state_dict": dict(tensors)})):
        path = tmp_path / f"{name}.pdparams"
        paddle.save(content, str(path), protocol=protocol)
        equal(path, tensors)


@pytest.mark.paddle
@pytest.mark.parametrize("protocol", [2, 3])
def test_what_paddle_cuts_up(tmp_path: Path, protocol: int, monkeypatch: pytest.MonkeyPatch):
    """Below protocol 4 it cuts arrays of 2**30 bytes; here it does from 256 on."""
    paddle = pytest.importorskip("paddle", reason="the extra `cpu` is not installed")
    from paddle.framework import io

    code = io._unpack_saved_dict.__code__
    assert 2**30 - 1 in code.co_consts
    cut = tuple(256 if const == 2**30 - 1 else const for const in code.co_consts)
    monkeypatch.setattr(io._unpack_saved_dict, "__code__", code.replace(co_consts=cut))
    tensors = {"small": paddle.randn([3]), "large": paddle.randn([9, 70]), "last": paddle.ones([2])}
    paddle.save(tensors, str(tmp_path / "cut.pdparams"), protocol=protocol)
    assert set(paddle.load(str(tmp_path / "cut.pdparams"))) == set(tensors)
    parts = (tmp_path / "cut.pdparams").read_bytes().count(b"large@@.9")
    assert parts, "it was cut"
    equal(tmp_path / "cut.pdparams", tensors)


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


def cut_up(*, name="a", shape=(2, 2), slices=("a.0", "a.1")):
    """A tensor in two parts, beside others."""
    parts = {"a.0": FLOATS[0, :3], "a.1": FLOATS[0, 3:], "matrix": FLOATS[:1, :1]}
    told = {"OriginShape": shape, "slices": list(slices) if isinstance(slices, tuple) else slices}
    content = {**parts, "half": np.float16([1]), "UnpackBigParamInfor@@": {name: told}}
    return pickle.dumps(content, protocol=2)


def test_parts_are_one_tensor_again(mapped):
    file = mapped(cut_up())
    found = read(file).layouts
    assert list(found) == ["matrix", "half", "a"]
    assert np.array_equal(found["a"].array(file), FLOATS[0].reshape(2, 2))


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
        (cut_up(slices=["a.0", "a.2"]), "not all its parts are here"),
        (cut_up(slices=["a.0", "a.0"]), "not all its parts are here"),
        (cut_up(slices=[["a.0"], "a.1"]), "not all its parts are here"),
        (cut_up(slices=["a.0", "matrix"]), "not all its parts are here"),
        (cut_up(slices=["a.0", "half"]), "not all its parts are here"),
        (cut_up(slices=["a.0"]), "not of its shape"),
        (cut_up(slices=[]), "not listed as Paddle does"),
        (cut_up(slices=None), "not listed as Paddle does"),
        (cut_up(name="half"), "not listed as Paddle does"),
        (cut_up(shape=(2, 3)), "not of its shape"),
        (cut_up(shape=(-2, 2)), "not a list of sizes"),
        (cut_up(shape=None), "not a list of sizes"),
        (pickle.dumps({"UnpackBigParamInfor@@": 3}, protocol=4), "is no dict of tensors but 3"),
        (pickle.dumps({"a": FLOATS}, protocol=4) + b"x", "1 bytes follow the pickle"),
        (pickle.dumps({"a": np.array([None])}, protocol=4), "type that is not read"),
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


def as_text(text: str, *, shape=(20_000,), encoding="latin1"):
    """An array whose bytes are a text, as protocol 2 has them."""

    class Bytes:
        def __reduce__(self):
            return codecs.encode, (text, encoding)

    state = (1, shape, np.dtype(np.bool_), False, Bytes())

    class Array:
        def __reduce__(self):
            return np.zeros(1).__reduce__()[0], (np.ndarray, (0,), b"b"), state

    return pickle.dumps({"a": Array()}, protocol=2)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (as_text("x" * 10, shape=(10,), encoding="rot13"), "described as numpy never does"),
        (as_text("x" * 10, shape=(11,)), "needs 11 bytes and has 10"),
        (as_text("\u20ac", shape=(1,)), "described as numpy never does"),
        (as_text("x" * 19_999), "needs 20000 bytes and has 19999"),
        (as_text("x" * 40_001), "needs 20000 bytes and has 40001"),
    ],
)
def test_text_that_is_no_array_is_refused(mapped, data, message):
    with pytest.raises(FormatError) as caught:
        read(mapped(data))
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\u20ac" * 10_000, "is not bytes written as text"),
        ("\xff" * 19_999, "needs 20000 bytes, and its text has 19999"),
        ("\xff" * 10 + "x" * 20_000, "needs 20000 bytes, and its text has more"),
        ("\ud800" + "x" * 19_999, "is not bytes written as text"),
    ],
)
def test_what_only_reading_tells(mapped, text, message):
    file = mapped(as_text(text))
    layout = read(file).layouts["a"]
    with pytest.raises(FormatError) as caught:
        layout.array(file)
    assert message in caught.value.what


def test_a_character_may_lie_across_two_chunks(mapped, monkeypatch):
    monkeypatch.setattr("zoo.convert.readers.pieces.CHUNK", 7)
    file = mapped(as_text("x\xff" * 10_000))
    assert read(file).layouts["a"].array(file).tobytes() == b"x\xff" * 10_000


def test_a_long_text_is_no_array_and_no_name(mapped):
    with pytest.raises(FormatError, match="is no tensor but text of 20000 bytes"):
        read(mapped(pickle.dumps({"a": "x" * 20_000}, protocol=4)))
    with pytest.raises(FormatError, match="a key that is no string but text of 20000 bytes"):
        read(mapped(pickle.dumps({"x" * 20_000: FLOATS}, protocol=4)))
    with pytest.raises(FormatError, match="described as numpy never does"):
        read(mapped(array_state(shape=(5_000,), data="x" * 20_000)))
