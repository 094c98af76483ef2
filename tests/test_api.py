"""The calls of ``import zoo``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import zoo
from zoo.errors import ZooError


def test_importing_zoo_imports_nothing_heavy() -> None:
    code = "import sys, zoo; print(sorted({'numpy', 'paddle', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_public_names() -> None:
    assert set(zoo.__all__) <= set(dir(zoo))
    with pytest.raises(AttributeError):
        _ = zoo.nothing  # type: ignore[attr-defined]


def test_models() -> None:
    assert "laion/CLIP-ViT-g-14-laion2B-s34B-b88K" in zoo.get_model("laion/CLIP-ViT-g-14").names
    assert len(zoo.list_models()) >= 14


def test_convert_and_verify(tmp_path: Path, tiny: Path) -> None:
    folder = zoo.convert_checkpoint(tiny, tmp_path / "out", dtype="bfloat16")
    result = zoo.verify_checkpoint(folder, upto="roundtrip")
    assert result.evidence.height == 3
    with pytest.raises(ZooError, match="exists"):
        zoo.convert_checkpoint(tiny, tmp_path / "out")


@pytest.mark.paddle
@pytest.mark.parametrize("form", ["id", "native", "open_clip"])
def test_load_takes_an_id_a_converted_folder_and_a_foreign_one(
    form: str, tmp_path: Path, tiny: Path
) -> None:
    if form == "native":
        source: str | Path = zoo.convert_checkpoint(tiny, tmp_path / "out")
    else:
        source = "tiny-digits" if form == "id" else tiny
    model, preprocess, tokenizer = zoo.load(source)
    assert not model.training
    image = preprocess(Image.new("RGB", (50, 40), "red"))
    assert image.dtype == np.float32 and image.shape == (3, 32, 32)
    features = model.encode_image(image[None], normalize=True)
    texts = model.encode_text(tokenizer(["a diagram", "a dog"]), normalize=True)
    assert list(features.shape) == [1, 48] and list(texts.shape) == [2, 48]
    assert np.linalg.norm(np.asarray(features)) == pytest.approx(1, abs=1e-6)
    assert list(model.build_zero_shot_classifier(["a", "b"], ["{}.", "{}!"]).shape) == [48, 2]
