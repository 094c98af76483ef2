"""Unit features by programs: the module's, whatever the batch, and cut where nothing follows."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zoo
from zoo.deploy import encoder as module
from zoo.deploy import folder
from zoo.deploy.cached import programs_for
from zoo.deploy.encoder import Deployed, Encoder, open_encoder
from zoo.errors import ConfigError, UsageError
from zoo.runtime import Processor, read_processor
from zoo.spec import native
from zoo.talk import Silence
from zoo.verify.compare import relative_rms
from zoo.verify.tolerance import EPS

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("shared_programs")]

TEXTS = ["a", "a photo of a cat that sits on a mat", "zero"]
# Both paths are within 2 x the reference's own error of float64 (tests/verify), which is about
# 4 eps in a model as shallow as this: so far apart they may be.
APART = 2 * 2 * 4 * EPS


@pytest.fixture
def encoder(converted_once: Path) -> Encoder:
    return open_encoder(converted_once)


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(count, 3, 32, 32)).astype(np.float32)


def test_features_are_the_module_s_and_of_length_one(
    encoder: Encoder, converted_once: Path
) -> None:
    model, _, tokenizer = zoo.load(converted_once)
    tokens = tokenizer(TEXTS)
    for ours, theirs in (
        (encoder.encode_image(pixels(5)), model.encode_image(pixels(5), normalize=True)),
        (encoder.encode_text(tokens), model.encode_text(tokens, normalize=True)),
    ):
        np.testing.assert_allclose(np.linalg.norm(ours, axis=1), 1, rtol=4 * EPS)
        assert relative_rms(ours, theirs.numpy().astype(np.float64)) <= APART
    assert encoder.path["image"].startswith("Paddle Inference")
    assert encoder.path["image"].endswith("oneDNN, float32")
    assert encoder.path["text"].endswith("oneDNN but for products, float32")


def test_batches_and_lengths_of_any_size_agree(encoder: Encoder, converted_once: Path) -> None:
    _, _, tokenizer = zoo.load(converted_once)
    tokens = tokenizer(TEXTS)
    whole = encoder.encode_text(tokens)
    for row, length in ((0, 77), (1, 13), (2, 3)):
        alone = encoder.encode_text(tokens[row : row + 1, :length])
        assert relative_rms(alone, whole[row : row + 1].astype(np.float64)) <= APART
    images = encoder.encode_image(pixels(7))
    for size in (1, 3):
        part = encoder.encode_image(pixels(7)[:size])
        assert relative_rms(part, images[:size].astype(np.float64)) <= APART


def test_few_batch_sizes_reach_the_program(encoder: Encoder) -> None:
    """oneDNN keeps weights for each."""
    seen = []
    image = encoder._image  # type: ignore[attr-defined]
    encoder._image = lambda x: (seen.append(len(x)), image(x))[1]  # type: ignore[attr-defined]
    for count in range(1, 34):
        assert len(encoder.encode_image(pixels(count))) == count
    assert set(seen) == {1, 2, 4, 8, 16, 32, 64}


def test_programs_are_taken_as_they_are(converted_once: Path, zoo_home: Path) -> None:
    programs = programs_for(converted_once, Silence())
    found = open_encoder(programs)
    assert isinstance(found, Deployed) and found.programs == programs
    assert found.encode_image(pixels(1)).shape == (1, 48)


def test_a_tower_that_is_not_there(converted_once: Path, tmp_path: Path) -> None:
    spec = native.read(converted_once / "config.json")
    spec = replace(spec, text=None)
    (tmp_path / "config.json").write_text(json.dumps(native.dump(spec)))
    record = folder.declare(spec, paddle="3.3.1", logit_scale=None)
    (tmp_path / "inference.json").write_bytes(folder.encode(record))
    with pytest.raises(ConfigError, match="no text tower"):
        open_encoder(tmp_path).encode_text(np.zeros((1, 3), np.int64))


def test_what_a_processor_does_not_multiply(
    converted_once: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match="does not multiply float16"):
        open_encoder(converted_once, "float16")
    old = Processor(vendor="GenuineIntel", flags=frozenset({"avx2"}), cores=2)
    monkeypatch.setattr(module, "read_processor", lambda: old)
    with pytest.raises(UsageError, match="does not multiply bfloat16"):
        open_encoder(converted_once, "bfloat16")


def can_round() -> bool:
    processor = read_processor()
    return processor is not None and bool(processor.flags & module.BFLOAT16)


@pytest.mark.skipif(not can_round(), reason="this processor does not multiply bfloat16")
def test_bfloat16_rounds_pictures_and_leaves_texts(encoder: Encoder, converted_once: Path) -> None:
    rounded = open_encoder(converted_once, "bfloat16")
    ours, theirs = (e.encode_image(pixels(8)) for e in (rounded, encoder))
    error = relative_rms(ours, theirs.astype(np.float64))
    assert 2.0**-12 < error < 2.0**-4  # bfloat16's eps is 2^-7
    tokens = np.array([[49406, 320, 49407]])
    np.testing.assert_array_equal(rounded.encode_text(tokens), encoder.encode_text(tokens))
    assert "bfloat16" in rounded.path["image"] and "float32" in rounded.path["text"]
