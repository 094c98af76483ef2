"""Where every target starts: small inputs that are good."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np

from tests.bad_inputs.checkpoint import config, entry, safetensors, torch_legacy, torch_zip
from zoo.convert import provenance
from zoo.convert.provenance import FileRecord, SourceRecord, TensorRecord
from zoo.files import pretty_json
from zoo.manifest import registry
from zoo.spec import hf, hf_preprocessor, native, open_clip, paddlemix, paddlemix_processor
from zoo.verify import evidence

MANIFESTS = 3  # of the zoo's, to begin with


def seeds() -> dict[str, list[bytes]]:
    """Good inputs by target."""
    tensors = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(2, np.float32)}
    spec = open_clip.parse(config(), "seed")
    assert spec.preprocess is not None
    readers = {
        "safetensors": [
            safetensors({"a": entry(0, 24, [2, 3]), "b": entry(24, 32, [2])}, bytes(32)),
            safetensors({"__metadata__": {"format": "pt"}, "a": entry(0, 2, [1], "BF16")}, b"ab"),
        ],
        "torch_zip": [torch_zip(tensors), torch_zip(tensors, lambda state: {"state_dict": state})],
        "torch_legacy": [torch_legacy(tensors)],
        "pdparams": [
            *(pickle.dumps(tensors, protocol) for protocol in (2, 3, 4)),
            pickle.dumps({"long": np.ones(12_500, np.bool_)}, 2),
            pickle.dumps(_cut_up(), 3),
        ],
    }
    return {
        **readers,
        "index": [json.dumps({"metadata": {}, "weight_map": {"a": "x", "b": "y"}}).encode()],
        "opening": [content for contents in readers.values() for content in contents],
        "from_afar": [*readers["safetensors"], *readers["torch_zip"]],
        "open_clip_config": [json.dumps(config()).encode()],
        "native_config": [pretty_json(native.dump(spec))],
        "hf_config": [pretty_json(hf.dump(spec))],
        "hf_preprocessor": [pretty_json(hf_preprocessor.dump(spec.preprocess))],
        "paddlemix_config": [pretty_json(paddlemix.dump(spec))],
        "paddlemix_processor": [
            pretty_json(file)
            for name, file in paddlemix_processor.dump(spec.preprocess, 77).items()
            if name.endswith(paddlemix_processor.IMAGE_NAME)
        ],
        "manifest": [path.read_bytes() for path in _manifests()],
        "provenance": [_provenance()],
        "evidence": [_evidence()],
    }


def _cut_up() -> dict[str, object]:
    """As paddle.save cuts up large arrays below protocol 4."""
    names = ["a@@.0", "a@@.1"]
    told = {"a": {"OriginShape": (2, 2), "slices": names}}
    return {
        **{name: np.ones(2, np.float32) for name in names},
        "UnpackBigParamInfor@@": told,
    }


def _manifests() -> list[Path]:
    return sorted(registry().folder.glob("*.toml"))[:MANIFESTS]


def _provenance() -> bytes:
    file = FileRecord(name="model.safetensors", size=4, sha256="0" * 64)
    tensor = TensorRecord(
        sources=["a"],
        action="copy",
        dtype="float32",
        shape=[1],
        sha256="0" * 64,
        nonfinite=0,
        overflowed=0,
        vanished=0,
    )
    sealed = provenance.seal(
        id="a/b",
        tool="zoo 0",
        command=["zoo", "convert"],
        trust=None,
        mapping_digest="0" * 64,
        source=SourceRecord(repo=None, commit=None, format="a", files=[file], left_out=[]),
        dtype="keep",
        files=[file],
        tensors={"a": tensor},
    )
    return provenance.encode(sealed)


def _evidence() -> bytes:
    rungs = tuple(
        evidence.Rung(
            number=number,
            name="files",
            status="pass",
            reason=None,
            figures={},
            bounds={},
            measured_on=None,
        )
        for number in range(1, evidence.RUNGS + 1)
    )
    subject = evidence.Subject(id="a", tensors_digest="0" * 64, config_digest="1" * 64)
    sealed = evidence.seal(subject=subject, environment={}, command=["zoo"], rungs=rungs)
    return evidence.encode(sealed)
