"""paddle.save's files: one pickle of a dict of numpy arrays, without a header.

An array is ``_reconstruct(ndarray, (0,), b"b")`` with the state ``(1, shape, dtype, fortran order,
bytes)``; numpy 1 and 2 call its module differently. A tensor that was saved in a nested dict is a
tuple of its name in the graph and the array. Paddle knows no bfloat16 in numpy and writes uint16.

Protocol 2 has no bytes: ``_codecs.encode(text, "latin1")`` stands for them. Below protocol 4 arrays
of 2**30 bytes are cut into flat ones, which ``UnpackBigParamInfor@@`` names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from zoo.convert.readers import state_dict
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent, Layout, checked_shape, packed_strides, shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.pickle_data import Call, Global, Value, load
from zoo.convert.readers.pieces import LongText, Piece, Pieces, Stored, can_be
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
LATIN = Global("_codecs", "encode")
NO_BYTES = {Global("builtins", "bytes"), Global("__builtin__", "bytes")}  # protocol 2's b""
ALLOWED = {*ARRAYS, ARRAY, DTYPE, *TUPLES, *state_dict.MAPPINGS, LATIN, *NO_BYTES}


def read(file: MappedFile) -> Contents:
    """What paddle.save wrote; tensors in the order of the dict.

    Raises:
        FormatError: it was not paddle.save that wrote the pickle, or it is refused.
        TruncatedError: the file ends before the pickle does.
    """
    root, end = load(_Bytes(file), 0, check_global=_check_global, persistent_load=_persistent_load)
    if end != file.size:
        raise FormatError(f"{file.size - end} bytes follow the pickle")
    names, split = _taken(root, PARAMETER_NAMES), _taken(root, SPLIT_PARAMETERS)
    found = state_dict.contents(root, _layout, format="pdparams")
    ignored = {} if names is None else {PARAMETER_NAMES: state_dict.described(names)}
    return Contents(
        format=found.format,
        layouts=found.layouts if split is None else _joined(found.layouts, split),
        ignored={**found.ignored, **ignored},
    )


def _taken(root: Value, name: str) -> Value:
    """What stands beside the tensors under a name, taken out."""
    if not isinstance(root, Call):
        return None
    found = next((value for key, value in root.items if key == name), None)
    root.items[:] = [item for item in root.items if item[0] != name]
    return found


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
    if found not in ALLOWED:
        raise FormatError(
            f"the file would have {shown(str(found))} imported, which no tensor needs; nothing was "
            "run",
            remedy="Ask its author for safetensors. Never load it with paddle.load or pickle, "
            "which would run it.",
        )


def _persistent_load(identity: Value) -> Value:
    raise FormatError("the pickle refers to something outside, which paddle.save never does")


def _layout(name: str, value: Value) -> Stored:
    if isinstance(value, Call) and value.function in TUPLES:
        match value.args:
            case ((str(), Call() as value),):
                pass
    if not isinstance(value, Call) or value.function not in ARRAYS:
        raise state_dict.no_tensor(name, value)
    match value.state:
        case (1, shape, Call(function=function) as kind, bool(fortran), data) if function == DTYPE:
            dtype, piece = _dtype(name, kind), _bytes(name, data)
        case _:
            raise FormatError(f"tensor {shown(name)} is described as numpy never does")
    sizes = checked_shape(name, shape, dtype)
    found = Pieces(dtype=dtype, shape=sizes, pieces=(piece,), fortran=fortran)
    if not can_be(piece, found.nbytes):
        has = len(piece) if isinstance(piece, bytes) else piece.nbytes
        raise FormatError(f"tensor {shown(name)} needs {found.nbytes} bytes and has {has}")
    if not isinstance(piece, Extent):
        return found
    strides = packed_strides(sizes, dtype.itemsize)
    if fortran:
        strides = packed_strides(sizes[::-1], dtype.itemsize)[::-1]
    return Layout(dtype=dtype, shape=sizes, offset=piece.offset, strides=strides)


def _bytes(name: str, data: Value) -> Piece:
    """An array's bytes: themselves, or in protocol 2 the text that stands for them."""
    match data:
        case Extent():
            return data
        case Call(function=function, args=()) if function in NO_BYTES:
            return b""
        case Call(function=function, args=(str() | LongText() as text, "latin1")) if (
            function == LATIN
        ):
            try:
                return text.encode("latin-1") if isinstance(text, str) else text
            except UnicodeEncodeError:
                pass
    raise FormatError(f"tensor {shown(name)} is described as numpy never does")


def _joined(layouts: Mapping[str, Stored], split: Value) -> dict[str, Stored]:
    """The tensors, those that were cut up in one again, which come last.

    ``split`` is ``{name: {"OriginShape": shape, "slices": names of the parts}}``.
    """
    left = dict(layouts)
    whole: dict[str, Stored] = {}
    for name, value in state_dict.entries(split, SPLIT_PARAMETERS).items():
        told = state_dict.entries(value, f"{SPLIT_PARAMETERS} of {shown(name)}")
        parts = told.get("slices")
        if not isinstance(parts, list) or not parts or name in left:
            raise FormatError(f"the parts of tensor {shown(name)} are not listed as Paddle does")
        found = [left.pop(part, None) if isinstance(part, str) else None for part in parts]
        present = [part for part in found if part is not None and len(part.shape) == 1]
        dtypes = {part.dtype for part in present}
        if len(present) < len(parts) or len(dtypes) != 1:
            raise FormatError(f"tensor {shown(name)} is cut up, and not all its parts are here")
        dtype = dtypes.pop()
        shape = checked_shape(name, told.get("OriginShape"), dtype)
        pieces = tuple(piece for part in present for piece in _pieces(part))
        joined = Pieces(dtype=dtype, shape=shape, pieces=pieces)
        if joined.nbytes != sum(part.nbytes for part in present):
            raise FormatError(f"the parts of tensor {shown(name)} are not of its shape")
        whole[name] = joined
    return {**left, **whole}


def _pieces(part: Stored) -> tuple[Piece, ...]:
    if isinstance(part, Pieces):
        return part.pieces
    return (Extent(part.offset, part.nbytes),)


def _dtype(name: str, kind: Call) -> np.dtype[Any]:
    """``dtype(code, False, True)`` with the state ``(3, byte order, ...)``."""
    match kind.args, kind.state:
        case (str(code), *_), (3, str(order), *_) if code in DTYPES and order in ("<", "|"):
            return DTYPES[code]
    raise FormatError(f"tensor {shown(name)} is of a type that is not read")
