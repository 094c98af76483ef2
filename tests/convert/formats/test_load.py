"""``zoo.load`` takes a folder in any format, converted on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zoo
from zoo import cache
from zoo.errors import ConfigError

pytestmark = pytest.mark.paddle
pytest.importorskip("paddle", reason="the extra `cpu` is not installed")

Write = Callable[..., Path]


def features(source: Path, picture: Any, text: str) -> tuple[Any, Any]:
    model, preprocess, tokenizer = zoo.load(source)
    tokens = tokenizer([text]) % 64  # the small checkpoint has 64 words, and the last one ends
    image = model.encode_image(preprocess(picture)[None], normalize=True)
    return image.numpy(), model.encode_text(tokens, normalize=True).numpy()


def test_whatever_the_format_the_features_are_the_same(write: Write, tmp_path: Path) -> None:
    from PIL import Image

    noise = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    found = []
    for family in ("open_clip", "hf", "paddlemix"):
        folder = write(tmp_path / family, family)
        if family == "paddlemix":
            config = json.loads((folder / "config.json").read_text())
            config["vision_cfg"] = config["vision_cfg"] | {"quick_gelu": True}
            (folder / "config.json").write_text(json.dumps(config))
        found.append(features(folder, picture, "a zero"))
        assert cache.converted(family)  # the second time it is there
    for image, text in found[1:]:
        assert np.array_equal(image, found[0][0])
        assert np.array_equal(text, found[0][1])


def test_a_model_whose_pictures_nobody_describes_says_so(write: Write, tmp_path: Path) -> None:
    folder = write(tmp_path / "in", "hf")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match="how pictures are prepared"):
        zoo.load(folder)
