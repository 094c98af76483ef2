"""A CLIP that open_clip trained on photographs, under names of ImageNet's list, predicts in Paddle
what it predicts there: every picture, among all 1,000 classes, in the layout of WordNet ids.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.imagesets.imagenet import class_names, label_of, templates

pytestmark = [pytest.mark.paddle, pytest.mark.reference, pytest.mark.long]

# scikit-image's photographs, each under a name of the list; 657 and 744 share theirs.
PHOTOGRAPHS = {
    "chelsea": "tabby cat",
    "coffee": "espresso",
    "rocket": "missile",
    "camera": "tripod",
    "clock": "wall clock",
    "page": "menu",
}
CROPS, SIDE, STEPS = 50, 96, 200


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three hundred crops in class folders."""
    from skimage import data

    folder = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for photograph, name in PHOTOGRAPHS.items():
        pixels = np.asarray(getattr(data, photograph)())
        place = folder / list(label_of())[class_names().index(name)]
        place.mkdir()
        for number in range(CROPS):
            top, left = (int(random.integers(side - SIDE)) for side in pixels.shape[:2])
            crop = Image.fromarray(pixels[top : top + SIDE, left : left + SIDE])
            crop.save(place / f"{number:02}.jpg")
    return folder


@pytest.fixture(scope="module")
def trained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """open_clip's folder of a small CLIP that knows them a little."""
    import torch

    from tools.train_tiny import new_model, save_model
    from zoo.verify.reference.libraries import open_clip

    model = new_model()
    config = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    folders = sorted(pictures.iterdir())
    images = torch.stack(
        [transform(Image.open(path)) for folder in folders for path in sorted(folder.iterdir())]
    ).view(len(folders), CROPS, 3, *transform(Image.new("L", (9, 9))).shape[1:])
    names = [class_names()[label_of()[folder.name]] for folder in folders]
    tokens = open_clip.SimpleTokenizer()([f"a photo of a {name}." for name in names])
    loss, random = open_clip.ClipLoss(), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for _ in range(STEPS):
        batch = images[range(len(folders)), random.integers(CROPS, size=len(folders))]
        image = model.encode_image(batch, normalize=True)
        text = model.encode_text(tokens, normalize=True)
        optimizer.zero_grad()
        loss(image, text, model.logit_scale.exp()).backward()
        optimizer.step()
    out = tmp_path_factory.mktemp("trained")
    save_model(model, out)
    return out


def test_every_prediction_is_open_clips(
    run_zoo: Callable[..., object], pictures: Path, trained: Path, tmp_path: Path
) -> None:
    out = tmp_path / "native"
    assert run_zoo("convert", trained, "--out", out).code == 0  # type: ignore[attr-defined]
    ran = run_zoo(
        *("verify", out, "--source", trained, "--zero-shot", "--data", pictures),
        *("--against", "open_clip", "--json"),
    )
    assert ran.code == 0, ran.stderr  # type: ignore[attr-defined]
    rung = json.loads(ran.stdout)["results"][0]["evidence"]["rungs"][-1]  # type: ignore[attr-defined]
    figures = rung["figures"]
    assert figures["images"] == len(PHOTOGRAPHS) * CROPS and len(templates()) == 80
    assert figures["flips that count"] == 0
    # Where ours and open_clip's differ at all, it is over names that occur twice.
    tied = set(figures["tied images"])
    assert set(figures["agreement"]["flips"]) <= tied
    assert figures["top-1"] > 10, "it has learned something: chance is 0.1"
