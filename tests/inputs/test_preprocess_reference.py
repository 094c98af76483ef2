"""Every pixel equal to those of open_clip's transforms on PIL images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from zoo import data
from zoo.inputs import geometry
from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.spec import PreprocessSpec

pytestmark = pytest.mark.reference

Draw = Callable[[str, int, int], Image.Image]

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
MODES = ["RGB", "L", "P", "1", "RGBA", "LA", "CMYK", "I;16"]
WIDTHS_AND_HEIGHTS = [(1, 1), (37, 53), (53, 37), (48, 48), (299, 230), (1201, 1033)]
RESIZES = ["shortest", "squash", "longest"]


def spec(size: tuple[int, int] = (48, 48), **changes: Any) -> PreprocessSpec:
    defaults = {"interpolation": "bicubic", "resize": "shortest", "fill": 0}
    return PreprocessSpec(**{"size": size, "mean": MEAN, "std": STD, **defaults, **changes})


@pytest.fixture
def reference(open_clip: ModuleType) -> Callable[..., Any]:
    """open_clip's own transform of a specification."""

    def make(spec: PreprocessSpec, is_train: bool = False) -> Any:
        return open_clip.transform.image_transform_v2(
            open_clip.transform.PreprocessCfg(
                size=spec.size,
                mean=spec.mean,
                std=spec.std,
                interpolation=spec.interpolation,
                resize_mode=spec.resize,
                fill_color=spec.fill,
            ),
            is_train=is_train,
        )

    return make


def assert_equal_bits(ours: np.ndarray, theirs: Any) -> None:
    assert np.array_equal(ours.view(np.int32), theirs.numpy().view(np.int32))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("mode", MODES)
def test_modes(
    reference: Callable[..., Any], picture: Draw, mode: str, resize: str, interpolation: str
) -> None:
    fills = (0, 255) if resize == "longest" else (0,)
    for width, height in WIDTHS_AND_HEIGHTS:
        image = picture(mode, width, height)
        for fill in fills:
            wanted = spec(resize=resize, interpolation=interpolation, fill=fill)
            assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size", [(48, 65), (64, 47), (33, 33)])
def test_sizes(
    reference: Callable[..., Any],
    picture: Draw,
    size: tuple[int, int],
    resize: str,
    interpolation: str,
) -> None:
    wanted = spec(size, resize=resize, interpolation=interpolation)
    for width, height in [*WIDTHS_AND_HEIGHTS, (100, 30), (31, 100), (65, 48), (640, 427)]:
        image = picture("RGB", width, height)
        assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))


@pytest.mark.parametrize("resize", ["shortest", "squash"])
def test_thin_pictures(reference: Callable[..., Any], picture: Draw, resize: str) -> None:
    wanted = spec(resize=resize)
    for width, height in [(1, 500), (500, 1)]:
        image = picture("RGB", width, height)
        assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))


@pytest.mark.parametrize("transparency", [7, bytes(range(64))])
@pytest.mark.parametrize("resize", RESIZES)
def test_transparent_palettes(
    reference: Callable[..., Any], picture: Draw, resize: str, transparency: int | bytes
) -> None:
    image = picture("P", 61, 40).copy()
    image.info["transparency"] = transparency
    wanted = spec(resize=resize)
    if isinstance(transparency, bytes):
        with pytest.warns(UserWarning, match="should be converted to RGBA"):
            assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))
    else:
        assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))


@pytest.fixture(scope="module")
def photographs() -> list[Image.Image]:
    """scikit-learn's two, and the probe: JPEG, grey, palette and transparent files."""
    from sklearn.datasets import load_sample_images

    arrays = load_sample_images().images
    files = [path for path in sorted(data.path("probe").iterdir()) if path.suffix != ".json"]
    return [*map(Image.fromarray, arrays), *map(open_image, files)]


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("resize", RESIZES)
@pytest.mark.parametrize("size", [(224, 224), (378, 378)])
def test_photographs(
    reference: Callable[..., Any],
    photographs: list[Image.Image],
    size: tuple[int, int],
    resize: str,
    interpolation: str,
) -> None:
    assert len(photographs) >= 4
    wanted = spec(size, resize=resize, interpolation=interpolation)
    for image in photographs:
        assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))


@pytest.mark.parametrize("resize", RESIZES)
def test_photographs_of_scikit_image(reference: Callable[..., Any], resize: str) -> None:
    skimage = pytest.importorskip("skimage.data", reason="more photographs need scikit-image")
    files = [
        path
        for path in sorted(Path(skimage.__file__).parent.iterdir())
        if path.suffix in (".jpg", ".png", ".gif")
    ]
    assert len(files) > 20
    wanted = spec((224, 224), resize=resize)
    for image in map(open_image, files):
        assert_equal_bits(Preprocess(wanted)(image), reference(wanted)(image))


@pytest.mark.parametrize("mode", MODES)
def test_training_transform_of_a_given_box(
    reference: Callable[..., Any], picture: Draw, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    wanted = spec(interpolation="bilinear", resize="squash")  # neither counts in training
    theirs = reference(wanted, is_train=True)
    image = picture(mode, 299, 230)
    for box in [(0, 0, 230, 299), (3, 14, 211, 277), (100, 100, 48, 48), (7, 0, 20, 30)]:
        monkeypatch.setattr(geometry, "random_box", lambda *_, box=box: geometry.Box(*box))
        monkeypatch.setattr(theirs.transforms[0], "get_params", lambda *_, box=box: box)
        assert_equal_bits(Preprocess(wanted).train(image), theirs(image))


class TorchNumbers:
    """torch's random numbers behind the two methods of numpy's Generator that a crop draws from."""

    def __init__(self, torch: ModuleType) -> None:
        self.torch = torch

    def uniform(self, low: float, high: float) -> float:
        return float(self.torch.empty(1).uniform_(low, high).item())

    def integers(self, high: int) -> int:
        return int(self.torch.randint(0, high, size=(1,)).item())


def test_training_boxes(reference: Callable[..., Any], picture: Draw) -> None:
    """From the same random numbers the same boxes, retries and thin pictures included.

    torchvision draws the shape in float32. That moves a side by a pixel where its value lies within
    about 1e-7 of a half; no seed used here does.
    """
    import torch

    crop = reference(spec(), is_train=True).transforms[0]
    for width, height in [(299, 230), (64, 64), (40, 31), (30, 500), (500, 30), (1, 1), (2, 3)]:
        image = picture("L", width, height)
        for seed in range(100):
            torch.manual_seed(seed)
            theirs = crop.get_params(image, crop.scale, crop.ratio)
            torch.manual_seed(seed)
            assert geometry.random_box((height, width), TorchNumbers(torch)) == theirs
