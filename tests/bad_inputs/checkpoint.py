"""A small checkpoint that is good, to be made bad in one place; and files written by hand."""

from __future__ import annotations

import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors.numpy import load_file, save

from zoo import data

Tensors = dict[str, NDArray[Any]]
Config = dict[str, Any]
Make = Callable[[Path], object]

WORDS = 64  # of the vocabulary's 49408: the rest is most of the file, and no test's concern
WEIGHTS = "open_clip_model.safetensors"
BIN = "open_clip_pytorch_model.bin"
CONFIG = "open_clip_config.json"


@cache
def _tensors() -> Tensors:
    tensors = load_file(data.path("tiny") / WEIGHTS)
    return tensors | {"token_embedding.weight": tensors["token_embedding.weight"][:WORDS].copy()}


def tensors() -> Tensors:
    """The bundled checkpoint's, with a vocabulary of 64 words."""
    return dict(_tensors())


def config() -> Config:
    """Its configuration, as open_clip writes it."""
    found: Config = json.loads((data.path("tiny") / CONFIG).read_text())
    found["model_cfg"]["text_cfg"]["vocab_size"] = WORDS
    return found


def good(
    folder: Path,
    *,
    weights: Tensors | bytes | None = None,
    configuration: Config | bytes | None = None,
    name: str = WEIGHTS,
) -> Path:
    """Writes a checkpoint; what is not given is as it should be."""
    folder.mkdir(exist_ok=True)
    if not isinstance(weights, bytes):
        weights = save(tensors() if weights is None else weights, {"format": "pt"})
    if not isinstance(configuration, bytes):
        configuration = json.dumps(config() if configuration is None else configuration).encode()
    (folder / name).write_bytes(weights)
    (folder / CONFIG).write_bytes(configuration)
    return folder


def with_weights(change: Callable[[Tensors], object]) -> Make:
    """A checkpoint whose tensors were changed."""

    def make(at: Path) -> None:
        weights = tensors()
        change(weights)
        good(at / "in", weights=weights)

    return make


def with_config(change: Callable[[Config], object]) -> Make:
    """A checkpoint whose configuration was changed."""

    def make(at: Path) -> None:
        configuration = config()
        change(configuration)
        good(at / "in", configuration=configuration)

    return make


def with_file(content: bytes | Callable[[], bytes], name: str = WEIGHTS) -> Make:
    """A checkpoint whose weight file has this content."""
    return lambda at: good(
        at / "in", weights=content if isinstance(content, bytes) else content(), name=name
    )


def safetensors(header: object, body: bytes = b"", *, length: int | None = None) -> bytes:
    """A safetensors file; a header of bytes is taken as it is."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def entry(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


class Opcodes(bytes):
    """A part of a pickle that leaves one value."""


def opcodes(value: object) -> Opcodes:
    """A value in pickle's opcodes; parts may be opcodes already."""
    match value:
        case Opcodes():
            return value
        case tuple():
            return Opcodes(b"(" + b"".join(map(opcodes, value)) + b"t")
        case dict():
            pairs = (part for pair in value.items() for part in pair)
            return Opcodes(b"}(" + b"".join(map(opcodes, pairs)) + b"u")
    return Opcodes(pickle.dumps(value, 2)[2:-1])


def named(module: str, name: str) -> Opcodes:
    return Opcodes(f"c{module}\n{name}\n".encode())


def call(function: Opcodes, *args: object) -> Opcodes:
    return Opcodes(function + opcodes(args) + b"R")


def pickled(value: object) -> bytes:
    return b"\x80\x02" + opcodes(value) + b"."


def torch_tensor(key: str, array: NDArray[Any], *view: None) -> Opcodes:
    """A tensor on a storage of its own, as torch.save describes it."""
    kind = named("torch", "FloatStorage")
    storage = opcodes(("storage", kind, key, "cpu", array.size, *view)) + b"Q"
    strides = tuple(step // array.itemsize for step in array.strides)
    hooks = call(named("collections", "OrderedDict"))
    return call(
        named("torch._utils", "_rebuild_tensor_v2"),
        *(Opcodes(storage), 0, array.shape, strides, False, hooks),
    )


def archive(records: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as file:
        for name, record in records.items():
            file.writestr(zipfile.ZipInfo(name), record, compression)
    return content.getvalue()


def torch_zip(
    weights: Tensors,
    around: Callable[[dict[str, Any]], object] = lambda state: state,
    *,
    compression: int = zipfile.ZIP_STORED,
) -> bytes:
    """What torch.save writes; ``around`` puts the state dict into something."""
    arrays = {str(key): (name, array) for key, (name, array) in enumerate(weights.items())}
    state = {name: torch_tensor(key, array) for key, (name, array) in arrays.items()}
    records = {f"archive/data/{key}": array.tobytes() for key, (_, array) in arrays.items()}
    content = {"archive/data.pkl": pickled(around(state)), **records}
    return archive(content, compression=compression)


def torch_legacy(weights: Tensors) -> bytes:
    """What torch.save wrote before torch 1.6."""
    arrays = {str(key): (name, array) for key, (name, array) in enumerate(weights.items())}
    state = {name: torch_tensor(key, array, None) for key, (name, array) in arrays.items()}
    system = {"protocol_version": 1001, "little_endian": True}
    heads = (0x1950A86A20F9469CFC6C, 1001, system, state, list(arrays))
    storages = (struct.pack("<q", array.size) + array.tobytes() for _, array in arrays.values())
    return b"".join(map(pickled, heads)) + b"".join(storages)


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)
