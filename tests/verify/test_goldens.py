from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from zoo import data
from zoo.verify.goldens import find_goldens, open_taps
from zoo.verify.probe import load_probe

WEIGHTS = data.path("tiny") / "open_clip_model.safetensors"


def test_a_folder_names_its_tensors_by_their_paths(tmp_path: Path) -> None:
    (tmp_path / "f32").mkdir()
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "f32" / "visual.block.0.npy", values)
    np.save(tmp_path / "input.tokens.npy", values.astype(np.int64))
    taps = open_taps(tmp_path)
    assert taps.keys() == ["f32/visual.block.0", "input.tokens"]
    found = taps.get("f32/visual.block.0")
    assert isinstance(found, np.memmap)
    assert found.dtype == np.float32 and np.array_equal(found, values)
    with pytest.raises(KeyError):
        taps.get("f32/visual.block.1")


def test_goldens_are_found_by_the_digest_of_their_weights() -> None:
    digest = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    found = find_goldens(digest)
    assert found is not None
    assert found[1].weights == digest
    assert find_goldens("0" * 64) is None


def test_goldens_were_made_on_this_probe() -> None:
    found = find_goldens(hashlib.sha256(WEIGHTS.read_bytes()).hexdigest())
    assert found is not None
    taps, origin = found
    probe = load_probe()
    assert origin.probe == probe.digests()
    assert taps.get("input.pixels").shape == (len(probe.images), 3, 32, 32)
    assert taps.get("input.tokens").shape == (len(probe.texts), 77)


def test_goldens_hold_both_precisions_of_every_layer() -> None:
    found = find_goldens(hashlib.sha256(WEIGHTS.read_bytes()).hexdigest())
    assert found is not None
    taps, _ = found
    layers = [
        "logits",
        *("text.block.0", "text.block.1", "text.embed", "text.features"),
        *("visual.block.0", "visual.block.1", "visual.block.2"),
        *("visual.embed", "visual.features"),
    ]
    precisions = {"f32": np.float32, "f64": np.float64}
    assert taps.keys() == [
        *(f"{p}/{layer}" for p in precisions for layer in layers),
        "input.pixels",
        "input.tokens",
    ]
    for precision, dtype in precisions.items():
        assert {taps.get(f"{precision}/{layer}").dtype for layer in layers} == {np.dtype(dtype)}
    for layer in layers:
        exact = taps.get(f"f64/{layer}")
        error = np.linalg.norm(taps.get(f"f32/{layer}") - exact) / np.linalg.norm(exact)
        # Rounded once (an embedding) to rounded in every block: float32's eps is 1.2e-7.
        assert 1e-9 < error < 1e-5, layer
