"""What is fuzzed: everything that reads bytes from outside.

A target reads one file and either succeeds or raises a ZooError; whatever else it does is a find.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from zoo.convert import provenance
from zoo.convert.readers import open_checkpoint, pdparams, safetensors, torch_legacy, torch_zip
from zoo.convert.readers.checkpoint import Checkpoint
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.sharded import shards
from zoo.hub import remote
from zoo.manifest import entry
from zoo.spec import (
    CLIPSpec,
    hf,
    hf_preprocessor,
    native,
    open_clip,
    paddlemix,
    paddlemix_processor,
)
from zoo.spec.fields import read_json_object
from zoo.verify import evidence


def _touch(checkpoint: Checkpoint) -> None:
    """Looks at the first and last element of every tensor: where it lies beyond the file, the
    process ends."""
    for name in checkpoint.tensors:
        array = checkpoint.tensor(name)
        if array.size:
            assert array[(0,) * array.ndim] is not None
            assert array[(-1,) * array.ndim] is not None


def _reader(read: Callable[[MappedFile], Contents]) -> Callable[[Path], None]:
    def target(path: Path) -> None:
        with MappedFile(path) as file:
            _touch(Checkpoint([(file, read(file))], index=None))

    return target


def _opening(path: Path) -> None:
    with open_checkpoint(path) as checkpoint:
        _touch(checkpoint)


class _Afar(MappedFile):
    """Stands for a file on the hub."""

    address = "https://hub/input"


def _from_afar(path: Path) -> None:
    with _Afar(path) as file:
        assert remote.headers(file).layouts is not None  # type: ignore[arg-type]


def _index(path: Path) -> None:
    with MappedFile(path) as file:
        for shard in shards(file):
            assert shard.parent == path.parent


def _same_again(spec: CLIPSpec) -> None:
    assert native.parse(native.dump(spec), "again") == spec


def _hf(path: Path) -> None:
    _same_again(hf.parse(read_json_object(path), path.name))


def _preprocessor(path: Path) -> None:
    hf_preprocessor.parse(read_json_object(path), path.name, image_size=(32, 32))


def _paddlemix(path: Path) -> None:
    spec, _ = paddlemix.parse(read_json_object(path), path.name)
    _same_again(spec)


def _processor(path: Path) -> None:
    paddlemix_processor.parse(read_json_object(path), path.name, image_size=(32, 32))


def _provenance(path: Path) -> None:
    folder = path.with_name(f"{path.name}-folder")
    folder.mkdir(exist_ok=True)
    path.replace(folder / provenance.PROVENANCE_NAME)
    found = provenance.read(folder)
    assert provenance.encode(found) == (folder / provenance.PROVENANCE_NAME).read_bytes()


def _evidence(path: Path) -> None:
    assert evidence.encode(evidence.read(path)) == path.read_bytes()


TARGETS: dict[str, Callable[[Path], object]] = {
    "safetensors": _reader(safetensors.read),
    "torch_zip": _reader(torch_zip.read),
    "torch_legacy": _reader(torch_legacy.read),
    "pdparams": _reader(pdparams.read),
    "index": _index,
    "opening": _opening,
    "from_afar": _from_afar,
    "open_clip_config": lambda path: _same_again(open_clip.read(path)),
    "native_config": lambda path: _same_again(native.read(path)),
    "hf_config": _hf,
    "hf_preprocessor": _preprocessor,
    "paddlemix_config": _paddlemix,
    "paddlemix_processor": _processor,
    "manifest": entry.read,
    "provenance": _provenance,
    "evidence": _evidence,
}
