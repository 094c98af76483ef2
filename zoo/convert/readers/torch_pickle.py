"""What torch.save's pickle says of the tensors: its globals, its storages, its state dict.

torch describes a tensor as ``_rebuild_tensor_v2(storage, offset, size, stride, ...)``, counted in
elements, and a storage as the persistent id ``("storage", type, key, location, elements)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from zoo.convert.readers import state_dict
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent, Layout, checked_shape, shown, strided
from zoo.convert.readers.pickle_data import Call, Global, Value
from zoo.errors import FormatError

STORAGES: dict[str, np.dtype[Any]] = {
    "torch.DoubleStorage": np.dtype(np.float64),
    "torch.FloatStorage": np.dtype(np.float32),
    "torch.HalfStorage": np.dtype(np.float16),
    "torch.BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch.LongStorage": np.dtype(np.int64),
    "torch.IntStorage": np.dtype(np.int32),
    "torch.ShortStorage": np.dtype(np.int16),
    "torch.CharStorage": np.dtype(np.int8),
    "torch.ByteStorage": np.dtype(np.uint8),
    "torch.BoolStorage": np.dtype(np.bool_),
}

TENSOR = Global("torch._utils", "_rebuild_tensor_v2")
PARAMETER = Global("torch._utils", "_rebuild_parameter")

CONTAINERS = ("dict", "list", "set", "frozenset", "bytearray")
NUMPY_VALUES = ("scalar", "_reconstruct")

# What a checkpoint may name beside its tensors, in the parts that are not read: the state of
# optimizers and schedulers, and the arguments a training run was started with.
UNREAD = {
    "argparse": ("Namespace",),
    "collections": ("Counter", "defaultdict"),
    "builtins": CONTAINERS,
    "__builtin__": CONTAINERS,  # their names in protocol 2
    "_codecs": ("encode",),  # bytes in protocol 2
    "numpy": ("dtype", "ndarray"),
    "numpy.core.multiarray": NUMPY_VALUES,
    "numpy._core.multiarray": NUMPY_VALUES,
    "torch": ("Size", "device", *map(str, STORAGES.values())),
}
ALLOWED = frozenset(
    [
        *STORAGES,
        *map(str, (TENSOR, PARAMETER, *state_dict.MAPPINGS)),
        *(f"{module}.{name}" for module, names in UNREAD.items() for name in names),
    ]
)
REFUSED = {
    "torch._utils._rebuild_tensor_v3": "a tensor of a type newer than the format, such as float8",
    "torch._utils._rebuild_qtensor": "a quantised tensor",
    "torch._utils._rebuild_sparse_tensor": "a sparse tensor",
    "torch._utils._rebuild_meta_tensor_no_storage": "a tensor without data",
    "torch.ComplexFloatStorage": "a complex tensor",
    "torch.ComplexDoubleStorage": "a complex tensor",
}


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of elements that tensors are views on; ``key`` finds its bytes."""

    dtype: np.dtype[Any]
    key: str
    size: int

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize


def check_global(found: Global) -> None:
    """Lets pass what a checkpoint may name.

    Raises:
        FormatError: it is something else; this is how a file would run code.
    """
    name = str(found)
    if name in REFUSED:
        raise FormatError(f"the file holds {REFUSED[name]} ({name}), which is not read")
    if name not in ALLOWED:
        raise FormatError(
            f"the file would have {shown(name)} imported, which no tensor needs; nothing was run",
            remedy="Ask its author for safetensors. If you trust it as you trust a program, load "
            "it with torch and save the model's state_dict() anew.",
        )


def persistent_load(identity: Value) -> Storage:
    """The storage a persistent id names; torch's legacy format adds a sixth field.

    Raises:
        FormatError: it is none, or the sixth field says that it is a view on another storage.
    """
    match identity:
        case ("storage", Global() as kind, str(key), str(), int(size), *view):
            if str(kind) in STORAGES and view in ([], [None]):
                return Storage(STORAGES[str(kind)], key, size)
    raise FormatError("the pickle refers to a storage in a way torch.save does not")


def contents(root: Value, storage_extent: Callable[[str], Extent], *, format: str) -> Contents:
    """The tensors of a state dict, bare or under ``state_dict`` as training checkpoints have it.

    Args:
        root: what torch.save was given.
        storage_extent: where a storage's bytes lie in the file, by its key.
        format: the name of the file's format.

    Raises:
        FormatError: the pickle holds no state dict, or a tensor that is not within its storage.
    """
    return state_dict.contents(
        root, lambda name, value: _layout(name, value, storage_extent), format=format
    )


def _layout(name: str, value: Value, storage_extent: Callable[[str], Extent]) -> Layout:
    if isinstance(value, Call) and value.function == PARAMETER and value.args:
        value = value.args[0]
    if not isinstance(value, Call) or value.function != TENSOR:
        raise state_dict.no_tensor(name, value)
    match value.args:
        case (Storage() as storage, int(start), size, strides, _, _):
            pass
        case (Storage(), _, _, _, _, _, _):  # the last one is metadata
            raise FormatError(f"tensor {shown(name)} is conjugated or negated lazily")
        case _:
            raise FormatError(f"tensor {shown(name)} is described as torch.save never does")
    extent = storage_extent(storage.key)
    if extent.nbytes != storage.nbytes:
        raise FormatError(
            f"the storage of tensor {shown(name)} has {extent.nbytes} bytes, not {storage.nbytes}"
        )
    shape = checked_shape(name, size, storage.dtype)
    return strided(name, storage.dtype, shape, start=start, strides=strides, storage=extent)
