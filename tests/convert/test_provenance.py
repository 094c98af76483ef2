from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from zoo.convert import provenance
from zoo.convert.provenance import FileRecord, Provenance, SourceRecord, TensorRecord
from zoo.errors import DigestError, NotFoundError


def tensor(**changes: Any) -> TensorRecord:
    fields: dict[str, Any] = {
        "sources": ["a.é"],
        "action": "copy",
        "dtype": "float32",
        "shape": [2],
        "sha256": "0" * 64,
        "nonfinite": 0,
        "overflowed": 0,
        "vanished": 0,
    }
    return TensorRecord(**{**fields, **changes})


def sealed(**changes: Any) -> Provenance:
    fields: dict[str, Any] = {
        "id": "org/model",
        "tool": "zoo 1",
        "command": ["zoo", "convert", "./a b"],
        "trust": None,
        "mapping_digest": "1" * 64,
        "source": SourceRecord(
            repo=None,
            commit=None,
            format="open_clip",
            files=[FileRecord(name="a.bin", size=3, sha256="2" * 64)],
            left_out=["optimizer"],
        ),
        "dtype": "keep",
        "files": [FileRecord(name="model.safetensors", size=8, sha256="3" * 64)],
        "tensors": {"a": tensor()},
    }
    return provenance.seal(**{**fields, **changes})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / provenance.PROVENANCE_NAME).write_bytes(provenance.encode(sealed()))
    return tmp_path


def test_what_is_written_is_read(folder: Path) -> None:
    assert provenance.read(folder) == sealed()


def test_its_digest_is_of_its_own_canonical_text(folder: Path) -> None:
    document = json.loads((folder / provenance.PROVENANCE_NAME).read_text())
    digest = document.pop("digest")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert digest == hashlib.sha256(text.encode()).hexdigest()


def test_a_flipped_bit_is_found_in_any_byte(folder: Path) -> None:
    path = folder / provenance.PROVENANCE_NAME
    data = path.read_bytes()
    for at, byte in enumerate(data):
        path.write_bytes(data[:at] + bytes([byte ^ 1 << at % 8]) + data[at + 1 :])
        with pytest.raises(DigestError):
            provenance.read(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: b"",
        lambda data: data + b"\n",
        lambda data: data.replace(b'"keep"', b'"float16"'),
        lambda data: data.replace(b'"trust": null', b'"trust": null,\n "more": 1'),
        lambda data: json.dumps(json.loads(data)).encode(),  # the same document in another text
        lambda data: b"[" * 100_000,
        lambda data: b"[]",
    ],
    ids=range(9),
)
def test_any_other_file_is_found(folder: Path, damage: Any) -> None:
    path = folder / provenance.PROVENANCE_NAME
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DigestError) as caught:
        provenance.read(folder)
    assert caught.value.where == str(path)


def test_a_folder_without_one_was_not_converted(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="not written by zoo"):
        provenance.read(tmp_path)


def test_the_tensors_digest_is_of_their_content_alone() -> None:
    digest = sealed().tensors_digest
    same = tensor(sources=["b"], action="transpose", overflowed=1)
    assert sealed(tensors={"a": same}, files=[]).tensors_digest == digest
    for other in (
        {"b": tensor()},
        {"a": tensor(dtype="float16")},
        {"a": tensor(shape=[2, 1])},
        {"a": tensor(sha256="4" * 64)},
        {"a": tensor(), "b": tensor()},
    ):
        assert sealed(tensors=other).tensors_digest != digest


def test_the_files_digest_is_of_names_sizes_and_content() -> None:
    record: dict[str, Any] = {"name": "a", "size": 1, "sha256": "5" * 64}
    digests = {
        provenance.files_digest([FileRecord(**{**record, **change})])
        for change in ({}, {"name": "b"}, {"size": 2}, {"sha256": "6" * 64})
    }
    assert len(digests) == 4
