"""Deep image towers have two programs on one file of weights."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import zoo
from zoo.deploy import folder, run
from zoo.deploy.encoder import BFLOAT16, open_encoder
from zoo.deploy.write import _share_weights
from zoo.errors import CheckError
from zoo.manifest import registry
from zoo.runtime import read_processor
from zoo.spec import native
from zoo.spec.layout import native_shapes
from zoo.talk import Talk
from zoo.verify.compare import relative_rms
from zoo.verify.tolerance import EPS

pytestmark = pytest.mark.paddle

BLOCKS = folder.ONEDNN_BLOCKS + 1
LINEAR = 6  # layers of a block: q, k, v, out, and the MLP's two


@pytest.fixture
def deep(converted_once: Path, tmp_path: Path) -> Path:
    """The bundled checkpoint with blocks of its image tower repeated."""
    spec = native.read(converted_once / "config.json")
    assert spec.vision is not None
    blocks = spec.vision.layers
    spec = replace(spec, vision=replace(spec.vision, layers=BLOCKS))
    tensors = load_file(converted_once / "model.safetensors")

    def first(name: str) -> str:
        return re.sub(
            r"(visual\..*resblocks\.)(\d+)", lambda m: f"{m[1]}{int(m[2]) % blocks}", name
        )

    made = tmp_path / "deep"
    made.mkdir()
    (made / "config.json").write_text(json.dumps(native.dump(spec)))
    repeated = {name: tensors[first(name)] for name in native_shapes(spec)}
    save_file(repeated, made / "model.safetensors", metadata={"format": "np"})
    return made


@pytest.fixture
def programs(deep: Path, tmp_path: Path, silence: Talk) -> Path:
    out = tmp_path / "programs"
    out.mkdir()
    run.write_programs(deep, out, silence)
    return out


def products(program: Path) -> int:
    text = program.read_text()
    return text.count('"1.addmm"') + text.count('"1.multi_dot"')


def test_one_file_of_weights_and_whose_products(programs: Path) -> None:
    assert {path.name for path in programs.iterdir()} == {
        *("image.json", "image.pdiparams", "image-bfloat16.json"),
        *("text.json", "text.pdiparams", "config.json", "inference.json"),
    }
    spec = native.read(programs / "config.json")
    assert spec.text is not None
    assert products(programs / "image.json") == LINEAR * BLOCKS
    assert products(programs / "image-bfloat16.json") == 0
    assert products(programs / "text.json") == LINEAR * spec.text.layers


def test_they_compute_what_the_module_does(deep: Path, programs: Path) -> None:
    pixels = np.random.default_rng(0).normal(size=(4, 3, 32, 32)).astype(np.float32)
    model, _, _ = zoo.load(deep)
    wanted = model.encode_image(pixels, normalize=True).numpy().astype(np.float64)
    exact = relative_rms(open_encoder(programs).encode_image(pixels), wanted)
    # Both are within 2 x the reference's own error, of a few eps in so small a model.
    assert exact <= 2 * 2 * 8 * EPS
    processor = read_processor()
    if processor is not None and processor.flags & BFLOAT16:
        rounded = relative_rms(open_encoder(programs, "bfloat16").encode_image(pixels), wanted)
        assert 2.0**-12 < rounded < 2.0**-4  # bfloat16's eps is 2^-7


def test_weights_that_differ_are_not_shared(tmp_path: Path) -> None:
    spec = registry().architecture("ViT-L-14")
    record = folder.declare(spec, paddle="3.3.1", logit_scale=None)
    assert record.image_bfloat16 is not None
    (tmp_path / "image.pdiparams").write_bytes(b"one")
    (tmp_path / "image-bfloat16.pdiparams").write_bytes(b"two")
    with pytest.raises(CheckError, match="should be equal"):
        _share_weights(tmp_path, record.image_bfloat16)
    (tmp_path / "image-bfloat16.pdiparams").write_bytes(b"one")
    _share_weights(tmp_path, record.image_bfloat16)
    assert [path.name for path in tmp_path.iterdir()] == ["image.pdiparams"]
