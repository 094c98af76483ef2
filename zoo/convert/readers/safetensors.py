"""Safetensors: eight bytes of header length, a JSON header, then the tensors without a gap.

The format: https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np

from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Layout, checked_shape, packed_strides, shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import FormatError, TruncatedError
from zoo.strict_json import parse_object

# Bytes. The format's own limit is 100 MB, of which a JSON parser can make gigabytes; the header of
# the zoo's largest model takes 0.2 MB.
MAX_HEADER = 16 * 2**20
LENGTH = 8  # bytes

DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype(np.float64),
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),
    "I32": np.dtype(np.int32),
    "I16": np.dtype(np.int16),
    "I8": np.dtype(np.int8),
    "U64": np.dtype(np.uint64),
    "U32": np.dtype(np.uint32),
    "U16": np.dtype(np.uint16),
    "U8": np.dtype(np.uint8),
    "BOOL": np.dtype(np.bool_),
}


def read(file: MappedFile) -> Contents:
    """What a safetensors file holds; tensors in the order of their data.

    Raises:
        FormatError: the header is not what the format demands, or a dtype is not read.
        TruncatedError: the file ends before its header says.
    """
    length = int.from_bytes(file.view(0, LENGTH), "little")
    if length > MAX_HEADER:
        raise FormatError(
            f"the header claims {length} bytes; a checkpoint's has at most {MAX_HEADER}"
        )
    header = parse_object(file.view(LENGTH, length), what="the header")
    _check_metadata(header.pop("__metadata__", {}))
    start = LENGTH + length
    layouts = {name: _layout(name, entry, start) for name, entry in header.items()}
    return Contents(format="safetensors", layouts=_contiguous(layouts, start, file.size))


def _check_metadata(metadata: object) -> None:
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        raise FormatError("the header's __metadata__ is not a map of strings")


def _layout(name: str, entry: object, start: int) -> Layout:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise FormatError(f"tensor {shown(name)} has not just a dtype, a shape and data_offsets")
    dtype = _dtype(name, entry["dtype"])
    shape = checked_shape(name, entry["shape"], dtype)
    begin, end = _offsets(name, entry["data_offsets"])
    layout = Layout(
        dtype=dtype,
        shape=shape,
        offset=start + begin,
        strides=packed_strides(shape, dtype.itemsize),
    )
    if layout.nbytes != end - begin:
        raise FormatError(f"tensor {shown(name)} needs {layout.nbytes} bytes and has {end - begin}")
    return layout


def _dtype(name: str, code: object) -> np.dtype[Any]:
    if not isinstance(code, str):
        raise FormatError(f"tensor {shown(name)} has a dtype that is not a string")
    if code not in DTYPES:
        raise FormatError(
            f"tensor {shown(name)} has the dtype {shown(code)}, which is not read",
            remedy=f"Read are {', '.join(DTYPES)}.",
        )
    return DTYPES[code]


def _offsets(name: str, offsets: object) -> tuple[int, int]:
    match offsets:
        case [begin, end] if type(begin) is type(end) is int and 0 <= begin <= end:
            return begin, end
    raise FormatError(f"tensor {shown(name)} has data_offsets that are not a range")


def _contiguous(layouts: dict[str, Layout], start: int, size: int) -> dict[str, Layout]:
    """The layouts in file order, which must fill the file from ``start`` to its end."""
    ordered = dict(sorted(layouts.items(), key=lambda item: (item[1].offset, item[1].nbytes)))
    end = start
    for name, layout in ordered.items():
        if layout.offset != end:
            gap = "overlaps the tensor before it" if layout.offset < end else "leaves a hole"
            raise FormatError(f"tensor {shown(name)} {gap}, at byte {layout.offset} of the file")
        end += layout.nbytes
    if size < end:
        raise TruncatedError(
            f"the file has {size} bytes; its header says {end}", remedy="Download it again."
        )
    if size > end:
        raise FormatError(f"{size - end} bytes follow the last tensor")
    return ordered
