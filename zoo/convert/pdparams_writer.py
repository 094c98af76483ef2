"""``.pdparams``, streamed: the pickle that paddle.save would write for a dict of arrays.

Written by hand because pickle wants every array in memory, and because numpy 2 writes a module name
that numpy 1 can't import; numpy 1's name, both can. No other opcode than those of protocol 4.
"""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

from zoo.convert.stream import Tensor, Written, write_stream

PROTOCOL = 4  # Paddle's own; bytes objects of 4 GiB and more
CODES = {"float64": "f8", "float32": "f4", "float16": "f2", "bfloat16": "u2"}  # as Paddle has it

_FALSE, _TRUE, _NONE = pickle.NEWFALSE, pickle.NEWTRUE, pickle.NONE
_MINUS_ONE = pickle.BININT + struct.pack("<i", -1)


def write_pdparams(
    path: Path, tensors: Sequence[Tensor], advance: Callable[[int], object]
) -> dict[str, Written]:
    """Writes the dict ``{name: array}``, in the order of ``tensors``.

    Raises:
        DiskError, AccessError: as the system says.
    """
    start = pickle.PROTO + bytes([PROTOCOL]) + pickle.EMPTY_DICT + pickle.MARK
    # An array's state ends behind its bytes, where the next one begins.
    between = pickle.TUPLE + pickle.BUILD
    parts = [
        ((between if index else start) + _head(tensor), tensor)
        for index, tensor in enumerate(tensors)
    ]
    return write_stream(path, parts, tail=between + pickle.SETITEMS + pickle.STOP, advance=advance)


def _head(tensor: Tensor) -> bytes:
    """All of an item up to its bytes: key, ``_reconstruct(ndarray, (0,), b"b")``, state."""
    return b"".join(
        [
            _text(tensor.name),
            _global("numpy.core.multiarray", "_reconstruct"),
            _global("numpy", "ndarray"),
            _integer(0) + pickle.TUPLE1,
            pickle.SHORT_BINBYTES + b"\x01b",
            pickle.TUPLE3 + pickle.REDUCE,
            pickle.MARK + _integer(1),
            pickle.MARK + b"".join(map(_integer, tensor.shape)) + pickle.TUPLE,
            _dtype(CODES[tensor.dtype]),
            _FALSE,  # in C order
            pickle.BINBYTES8 + struct.pack("<Q", tensor.nbytes),
        ]
    )


def _dtype(code: str) -> bytes:
    """``dtype(code, False, True)`` with numpy's state for little-endian numbers."""
    return b"".join(
        [
            _global("numpy", "dtype"),
            _text(code) + _FALSE + _TRUE + pickle.TUPLE3 + pickle.REDUCE,
            pickle.MARK + _integer(3) + _text("<") + _NONE * 3 + _MINUS_ONE * 2 + _integer(0),
            pickle.TUPLE + pickle.BUILD,
        ]
    )


def _global(module: str, name: str) -> bytes:
    return _text(module) + _text(name) + pickle.STACK_GLOBAL


def _text(text: str) -> bytes:
    data = text.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def _integer(value: int) -> bytes:
    return pickle.BININT + struct.pack("<i", value)
