"""torch.save's files before torch 1.6: five pickles, then the storages.

The pickles: a magic number, the protocol's version, what the writing machine was like, the object,
and the keys of the storages in the order in which they follow. A storage is a little-endian
64-bit count of elements and the elements.
"""

from __future__ import annotations

from zoo.convert.readers import torch_pickle
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import Extent, shown
from zoo.convert.readers.mapped_file import WINDOW, MappedFile
from zoo.convert.readers.pickle_data import Call, Value, load
from zoo.convert.readers.recognise import ACCEPTED
from zoo.convert.readers.torch_pickle import Storage
from zoo.errors import FormatError, TruncatedError

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
COUNT = 8  # bytes


def read(file: MappedFile) -> Contents:
    """What a pickle that torch.save wrote holds; tensors in the order of the state dict.

    Raises:
        FormatError: it was not torch.save that wrote the pickle, or it is refused.
        TruncatedError: the file ends before the storages do.
    """
    storages: dict[str, Storage] = {}
    root, keys, position = _pickles(file, storages)
    extents: dict[str, Extent] = {}
    for key in keys:
        if key not in storages:
            raise FormatError(f"no tensor is on the storage {shown(key)}")
        count = int.from_bytes(file.view(position, COUNT), "little")
        if count != storages[key].size:
            raise FormatError(f"the storage {shown(key)} has not the size the pickle says")
        extents[key] = Extent(position + COUNT, storages[key].nbytes)
        position += COUNT + storages[key].nbytes
    if position > file.size:
        raise TruncatedError(
            f"the file has {file.size} bytes; its storages need {position}",
            remedy="Download it again.",
        )
    if position < file.size:
        raise FormatError(f"{file.size - position} bytes follow the last storage")

    def storage_extent(key: str) -> Extent:
        if key not in extents:
            raise FormatError(f"the storage {shown(key)} is not in the file")
        return extents[key]

    return torch_pickle.contents(root, storage_extent, format="torch-legacy")


def _pickles(file: MappedFile, storages: dict[str, Storage]) -> tuple[Value, list[str], int]:
    """The object, the storages' keys, and where the pickles end; fills ``storages``."""

    def persistent_load(identity: Value) -> Storage:
        storage = torch_pickle.persistent_load(identity)
        storages.setdefault(storage.key, storage)
        return storage

    data = file.view(0, min(file.size, WINDOW))
    position = 0
    values = []
    for _ in range(5):
        value, position = load(
            data, position, check_global=torch_pickle.check_global, persistent_load=persistent_load
        )
        values.append(value)
        if values[0] != MAGIC_NUMBER:
            raise FormatError(
                "this is a pickle, but not one that torch.save wrote", remedy=ACCEPTED
            )
    _, version, system, root, keys = values
    if version != PROTOCOL_VERSION:
        raise FormatError("torch.save wrote this in a version of its format that is not read")
    if not isinstance(system, Call) or ("little_endian", True) not in system.items:
        raise FormatError("the tensors are stored in big-endian byte order")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise FormatError("the list of storages is damaged")
    return root, keys, position
