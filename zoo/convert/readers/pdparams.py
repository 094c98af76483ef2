"""paddle.save's files: one pickle of a dict of numpy arrays, without a header.

An array is ``_reconstruct(ndarray, (0,), b"b")`` with the state ``(1, shape, dtype, fortran order,
bytes)``; numpy 1 and 2 call its module differently. A tensor that was saved in a nested dict is a
tuple of its name in the graph and the array. Paddle knows no bfloat16 in numpy and writes uint16.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from zoo.convert.readers import state_dict
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent, Layout, checked_shape, packed_strides, shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.pickle_data import Call, Global, Value, load
from zoo.errors import FormatError

# What names the graph's parameters, beside the tensors.
PARAMETER_NAMES = "StructuredToParameterName@@"
SPLIT_PARAMETERS = "UnpackBigParamInfor@@"

DTYPES: dict[str, np.dtype[Any]] = {
    "f8": np.dtype(np.float64),
    "f4": np.dtype(np.float32),
    "f2": np.dtype(np.float16),
    "u2": np.dtype(ml_dtypes.bfloat16),
    "i8": np.dtype(np.int64),
    "i4": np.dtype(np.int32),
    "b1": np.dtype(np.bool_),
}
ARRAYS = {Global(f"numpy.{core}.multiarray", "_reconstruct") for core in ("core", "_core")}
ARRAY, DTYPE = Global("numpy", "ndarray"), Global("numpy", "dtype")
TUPLES = {Global("builtins", "tuple"), Global("__builtin__", "tuple")}
ALLOWED = {*ARRAYS, ARRAY, DTYPE, *TUPLES, *state_dict.MAPPINGS}
LATIN = Global("_codecs", "encode")  # how protocol 2 writes bytes


def read(file: MappedFile) -> Contents:
    """What paddle.save wrote; tensors in the order of the dict.

    Raises:
        FormatError: it was not paddle.save that wrote the pickle, or it is refused.
        TruncatedError: the file ends before the pickle does.
    """
    root, end = load(_Bytes(file), 0, check_global=_check_global, persistent_load=_persistent_load)
    if end != file.size:
        raise FormatError(f"{file.size - end} bytes follow the pickle")
    names = None
    if isinstance(root, Call):
        names = next((value for key, value in root.items if key == PARAMETER_NAMES), None)
        root.items[:] = [item for item in root.items if item[0] != PARAMETER_NAMES]
    found = state_dict.contents(root, _layout, format="pdparams")
    ignored = {} if names is None else {PARAMETER_NAMES: state_dict.described(names)}
    return Contents(
        format=found.format, layouts=found.layouts, ignored={**found.ignored, **ignored}
    )


@dataclass(frozen=True)
class _Bytes:
    """A file as bytes, mapped where it is looked at: most of it is skipped."""

    file: MappedFile

    def __len__(self) -> int:
        return self.file.size

    def __getitem__(self, part: slice) -> memoryview:
        end = min(part.stop, self.file.size)
        return self.file.view(part.start, end - part.start)


def _check_global(found: Global) -> None:
    if found == LATIN:
        raise FormatError(
            "the pickle is of protocol 2, in which arrays are text, and is not read",
            remedy="If you trust the file as you trust a program, save what paddle.load gives with "
            "protocol=4.",
        )
    if found not in ALLOWED:
        raise FormatError(
            f"the file would have {shown(str(found))} imported, which no tensor needs; nothing was "
            "run",
            remedy="Ask its author for safetensors. Never load it with paddle.load or pickle, "
            "which would run it.",
        )


def _persistent_load(identity: Value) -> Value:
    raise FormatError("the pickle refers to something outside, which paddle.save never does")


def _layout(name: str, value: Value) -> Layout:
    if name == SPLIT_PARAMETERS:
        raise FormatError(
            "arrays are split into parts, as protocols below 4 do, and are not read",
            remedy="If you trust the file as you trust a program, save what paddle.load gives with "
            "protocol=4.",
        )
    if isinstance(value, Call) and value.function in TUPLES:
        match value.args:
            case ((str(), Call() as value),):
                pass
    if not isinstance(value, Call) or value.function not in ARRAYS:
        raise state_dict.no_tensor(name, value)
    match value.state:
        case (1, shape, Call(function=function) as kind, bool(fortran), Extent() as data) if (
            function == DTYPE
        ):
            dtype = _dtype(name, kind)
        case _:
            raise FormatError(f"tensor {shown(name)} is described as numpy never does")
    sizes = checked_shape(name, shape, dtype)
    strides = packed_strides(sizes, dtype.itemsize)
    if fortran:
        strides = packed_strides(sizes[::-1], dtype.itemsize)[::-1]
    layout = Layout(dtype=dtype, shape=sizes, offset=data.offset, strides=strides)
    if layout.nbytes != data.nbytes:
        raise FormatError(f"tensor {shown(name)} needs {layout.nbytes} bytes and has {data.nbytes}")
    return layout


def _dtype(name: str, kind: Call) -> np.dtype[Any]:
    """``dtype(code, False, True)`` with the state ``(3, byte order, ...)``."""
    match kind.args, kind.state:
        case (str(code), *_), (3, str(order), *_) if code in DTYPES and order in ("<", "|"):
            return DTYPES[code]
    raise FormatError(f"tensor {shown(name)} is of a type that is not read")
