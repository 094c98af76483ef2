"""What was tried computes what zoo computes, or its speed would say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.contestant import Process
from zoo import convert_checkpoint
from zoo.models.loading import load_checkpoint
from zoo.spec import native
from zoo.verify.compare import relative_rms

pytestmark = pytest.mark.paddle

ROUNDING = 1e-5  # of a few layers in float32; another computation would be near 1
NAMES = (
    "one product for q, k and v",
    "residual and norm in one kernel",
    "patches by a product",
    "static graph",
    "Paddle's own attention",
    "every token in the last block",
)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    return convert_checkpoint(tiny, tmp_path_factory.mktemp("tiny") / "native")


@pytest.fixture
def pixels(converted: Path) -> np.ndarray:
    spec = native.read(converted / native.CONFIG_NAME)
    assert spec.vision is not None
    shape = (4, 3, *spec.vision.image_size)
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_it_computes_the_same(name: str, converted: Path, pixels: np.ndarray) -> None:
    import paddle

    from benchmarks.contestants.variants import VARIANTS

    assert set(VARIANTS) == set(NAMES)
    model = load_checkpoint(converted)
    with paddle.no_grad():
        wanted = model.encode_image(pixels).numpy().astype(np.float64)
        model.visual = VARIANTS[name](model.visual)
        assert relative_rms(model.encode_image(pixels).numpy(), wanted) < ROUNDING


@pytest.mark.parametrize(
    "options", [{"variant": NAMES[0]}, {"products": "paddle"}], ids=["variant", "products"]
)
def test_programs_too(
    options: dict[str, str], converted: Path, pixels: np.ndarray, tmp_path: Path
) -> None:
    import paddle

    np.save(tmp_path / "pixels.npy", pixels)
    programs = tmp_path / "programs"
    with Process(
        "zoo_variant",
        tmp_path / "log",
        folder=str(converted),
        programs=str(programs),
        **options,
    ) as process:
        out = tmp_path / "out.npy"
        process.do("images", tmp_path / "pixels.npy", save=out, shortest=0.0)
    with paddle.no_grad():
        wanted = load_checkpoint(converted).encode_image(pixels, normalize=True).numpy()
    assert relative_rms(np.load(out), wanted.astype(np.float64)) < ROUNDING
    program = (programs / "image.json").read_text()
    assert ("addmm" in program) == (options.get("products") == "paddle")
