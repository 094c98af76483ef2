"""Checkpoints built by hand, so that they can be wrong in every way, and need no torch."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.convert.readers.mapped_file import MappedFile

MAGIC = 0x1950A86A20F9469CFC6C


class Raw(bytes):
    """Opcodes that leave one value on the stack."""


class Build:
    """Makes the bytes of files."""

    Raw = Raw

    @staticmethod
    def named(module: str, name: str) -> Raw:
        return Raw(f"c{module}\n{name}\n".encode())

    @classmethod
    def pickled(cls, value: object) -> Raw:
        """The opcodes for a value, which may hold Raw anywhere."""
        match value:
            case Raw():
                return value
            case None | bool() | float():
                return Raw(pickle.dumps(value, 2)[2:-1])
            case int():
                return Raw(pickle.dumps(value, 2)[2:-1])
            case str():
                return Raw(b"X" + struct.pack("<I", len(value.encode())) + value.encode())
            case tuple():
                return Raw(b"(" + b"".join(map(cls.pickled, value)) + b"t")
            case list():
                return Raw(b"](" + b"".join(map(cls.pickled, value)) + b"e")
            case dict():
                pairs = (part for pair in value.items() for part in pair)
                return Raw(b"}(" + b"".join(map(cls.pickled, pairs)) + b"u")
        raise TypeError(value)

    @classmethod
    def called(cls, module: str, name: str, *args: object) -> Raw:
        return Raw(cls.named(module, name) + cls.pickled(args) + b"R")

    @classmethod
    def pickle(cls, value: object) -> bytes:
        return b"\x80\x02" + cls.pickled(value) + b"."

    @classmethod
    def storage(cls, key: str, size: int, kind: str = "FloatStorage", *view: object) -> Raw:
        identity = ("storage", cls.named("torch", kind), key, "cpu", size, *view)
        return Raw(cls.pickled(identity) + b"Q")

    @classmethod
    def tensor(
        cls,
        storage: Raw,
        shape: object,
        strides: object,
        start: object = 0,
        *metadata: object,
        rebuild: str = "_rebuild_tensor_v2",
    ) -> Raw:
        hooks = cls.called("collections", "OrderedDict")
        return cls.called(
            "torch._utils", rebuild, storage, start, shape, strides, False, hooks, *metadata
        )

    @classmethod
    def vector(cls, key: str, size: int) -> Raw:
        """A whole storage of float32 as one tensor."""
        return cls.tensor(cls.storage(key, size), (size,), (1,))

    @staticmethod
    def archive(records: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", compression) as archive:
            for name, content in records.items():
                archive.writestr(zipfile.ZipInfo(name), content, compression)
        return data.getvalue()

    @classmethod
    def torch_zip(
        cls, root: object, storages: Mapping[str, bytes], more: Mapping[str, bytes] | None = None
    ) -> bytes:
        return cls.archive(
            {
                "archive/data.pkl": cls.pickle(root),
                **{f"archive/data/{key}": content for key, content in storages.items()},
                **{f"archive/{name}": content for name, content in (more or {}).items()},
            }
        )

    @classmethod
    def torch_legacy(
        cls,
        root: object,
        storages: Mapping[str, bytes],
        *,
        magic: object = MAGIC,
        version: object = 1001,
        little_endian: bool = True,
        keys: object = None,
        itemsize: int = 4,
    ) -> bytes:
        system = {"protocol_version": 1001, "little_endian": little_endian}
        heads = (magic, version, system, root, list(storages) if keys is None else keys)
        return b"".join(map(cls.pickle, heads)) + b"".join(
            struct.pack("<q", len(content) // itemsize) + content for content in storages.values()
        )

    @staticmethod
    def safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
        """``header`` is dumped as JSON unless it is bytes already."""
        text = header if isinstance(header, bytes) else json.dumps(header).encode()
        return struct.pack("<Q", len(text) if length is None else length) + text + data

    @staticmethod
    def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
        return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


FLOATS = np.arange(6, dtype=np.float32)


@pytest.fixture(scope="session")
def build() -> type[Build]:
    return Build


@pytest.fixture(scope="session")
def small_files() -> dict[str, bytes]:
    """One valid file of each format, all with the same two tensors ``a`` [2, 3] and ``b`` [6]."""
    tensors = {
        "a": Build.tensor(Build.storage("0", 6), (2, 3), (3, 1)),
        "b": Build.vector("1", 6),
    }
    storages = {"0": FLOATS.tobytes(), "1": FLOATS.tobytes()}
    return {
        "safetensors": Build.safetensors(
            {"a": Build.entry(0, 24, [2, 3]), "b": Build.entry(24, 48, [6])}, FLOATS.tobytes() * 2
        ),
        "torch-zip": Build.torch_zip(tensors, storages),
        "torch-legacy": Build.torch_legacy(tensors, storages),
    }


@pytest.fixture
def mapped(tmp_path: Path) -> Iterator[Callable[[bytes], MappedFile]]:
    """Writes bytes into a file and maps it; the file before is closed."""
    with ExitStack() as opened:

        def mapped(content: bytes) -> MappedFile:
            opened.close()
            path = tmp_path / "file"
            path.write_bytes(content)
            return opened.enter_context(MappedFile(path))

        yield mapped
