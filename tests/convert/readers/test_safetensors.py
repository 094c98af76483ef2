"""Valid files against the safetensors library, and every way a header can be wrong."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from zoo.convert.readers.safetensors import DTYPES, read
from zoo.errors import FormatError, TruncatedError

FLOATS = np.arange(6, dtype=np.float32).tobytes()

ARRAYS = st.sampled_from(sorted(DTYPES)).flatmap(
    lambda code: npst.arrays(
        np.uint8 if code == "BF16" else DTYPES[code],
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=3),
    ).map(lambda array: array.astype(DTYPES[code]))
)


def entry(begin, end, shape, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


@given(tensors=st.dictionaries(st.text(max_size=5), ARRAYS, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_reads_what_the_library_writes(mapped, tensors):
    tensors.pop("__metadata__", None)
    file = mapped(safetensors.numpy.save(tensors, {"format": "np"}))
    contents = read(file)
    assert contents.format == "safetensors"
    assert contents.layouts.keys() == tensors.keys()
    for name, expected in tensors.items():
        array = contents.layouts[name].array(file)
        assert (array.dtype, array.shape) == (expected.dtype, expected.shape)
        assert array.tobytes() == expected.tobytes()


def test_tensors_come_in_the_order_of_their_data(build, mapped):
    header = {
        "last": entry(8, 12, [1]),
        "first": entry(0, 4, []),
        "middle": entry(4, 8, [1]),
        "empty": entry(4, 4, [0, 5]),
    }
    contents = read(mapped(build.safetensors(header, FLOATS[:12])))
    assert list(contents.layouts) == ["first", "empty", "middle", "last"]


def test_data_need_not_be_aligned(build, mapped):
    header = {"a": entry(0, 1, [1], "U8"), "b": entry(1, 5, [2], "BF16")}
    data = b"\x07" + np.array([1.5, -2], ml_dtypes.bfloat16).tobytes()
    for padding in range(8):
        text = build.safetensors(header)[8:] + b" " * padding
        file = mapped(build.safetensors(text, data))
        assert read(file).layouts["b"].array(file).astype(np.float32).tolist() == [1.5, -2]


@pytest.mark.parametrize("name", ["../../x", "n" * 10_000, "a\0b", "\N{SNOWMAN}", "\x1b[31m"])
def test_a_name_is_only_a_name(build, mapped, name):
    assert name in read(mapped(build.safetensors({name: entry(0, 4, [1])}, b"1234"))).layouts


WRONG = {
    "not JSON": (b'{"a": ', b"", "not JSON"),
    "not UTF-8": (b'{"\xff": 1}', b"", "not UTF-8"),
    "array": (b"[1, 2]", b"", "not a JSON object"),
    "deep nesting": (b'{"a":' + b"[" * 20_000, b"", "nested too deeply"),
    "repeated tensor": (b'{"a": {}, "a": {}}', b"", "'a' appears twice"),
    "metadata that is no map": ({"__metadata__": 3}, b"", "__metadata__"),
    "metadata that is no string": ({"__metadata__": {"a": 3}}, b"", "__metadata__"),
    "entry that is no map": ({"a": 3}, b"", "not just"),
    "entry without dtype": ({"a": {"shape": [], "data_offsets": [0, 4]}}, FLOATS[:4], "not just"),
    "entry with more": ({"a": entry(0, 4, [1]) | {"stride": [1]}}, FLOATS[:4], "not just"),
    "unknown dtype": (
        {"a": entry(0, 4, [4], "F8_E4M3")},
        FLOATS[:4],
        "dtype 'F8_E4M3', which is not read",
    ),
    "dtype that is no string": (
        {"a": entry(0, 4, [1]) | {"dtype": [[]]}},
        FLOATS[:4],
        "dtype that is not a string",
    ),
    "negative size": ({"a": entry(0, 4, [-1, -1])}, FLOATS[:4], "list of sizes"),
    "fractional size": ({"a": entry(0, 4, [1.0])}, FLOATS[:4], "list of sizes"),
    "size true": ({"a": entry(0, 4, [True])}, FLOATS[:4], "list of sizes"),
    "too large a shape": ({"a": entry(0, 4, [2**62, 4])}, FLOATS[:4], "too large"),
    "empty but too large": ({"a": entry(0, 0, [0, 2**62])}, b"", "too large"),
    "shape below bytes": ({"a": entry(0, 24, [5])}, FLOATS, "needs 20 bytes and has 24"),
    "shape against bytes": ({"a": entry(0, 24, [7])}, FLOATS, "needs 28 bytes and has 24"),
    "offsets backwards": ({"a": entry(4, 0, [1])}, FLOATS[:4], "not a range"),
    "negative offset": ({"a": entry(-4, 0, [1])}, FLOATS[:4], "not a range"),
    "one offset": ({"a": entry(0, 4, [1]) | {"data_offsets": [4]}}, FLOATS[:4], "not a range"),
    "offset true": (
        {"a": entry(0, 1, [1], "U8") | {"data_offsets": [0, True]}},
        b"1",
        "not a range",
    ),
    "hole at the start": ({"a": entry(4, 8, [1])}, FLOATS[:8], "'a' leaves a hole"),
    "hole": ({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, FLOATS[:12], "'b' leaves a hole"),
    "overlap": ({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, FLOATS[:12], "'b' overlaps"),
    "shared bytes": ({"a": entry(0, 8, [2]), "b": entry(0, 8, [2])}, FLOATS[:8], "'b' overlaps"),
    "trailing bytes": ({"a": entry(0, 4, [1])}, FLOATS[:5], "1 bytes follow"),
    "nothing but trailing bytes": ({}, b"PK", "2 bytes follow"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_header_is_refused(build, mapped, name):
    header, data, message = WRONG[name]
    with pytest.raises(FormatError, match=message):
        read(mapped(build.safetensors(header, data)))


def test_the_dtype_and_the_tensor_are_named(build, mapped):
    header = {"visual.proj": entry(0, 4, [4], "F8_E4M3")}
    with pytest.raises(FormatError, match=r"'visual\.proj' has the dtype 'F8_E4M3'"):
        read(mapped(build.safetensors(header, FLOATS[:4])))


@pytest.mark.parametrize("length", [2**64 - 1, 101_000_000])
def test_a_header_longer_than_the_format_allows(mapped, build, length):
    with pytest.raises(FormatError, match=f"claims {length} bytes"):
        read(mapped(build.safetensors(b"{}", length=length)))


def test_every_truncation(build, mapped):
    whole = build.safetensors({"a": entry(0, 24, [6])}, FLOATS)
    for size in range(len(whole)):
        with pytest.raises(TruncatedError, match=f"has {size} bytes"):
            read(mapped(whole[:size]))
    read(mapped(whole))
