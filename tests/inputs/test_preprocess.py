from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from zoo.errors import FormatError, UsageError
from zoo.inputs.preprocess import Preprocess
from zoo.spec import PreprocessSpec

Draw = Callable[[str, int, int], Image.Image]

SPEC = PreprocessSpec(
    size=(32, 32),
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
    interpolation="bicubic",
    resize="shortest",
    fill=0,
)

# sha256 of the float32 bytes that open_clip's transform gives for picture(mode, 61, 40)
GOLDEN = {
    ("shortest", "RGB"): "90cb81b9f56f81bf078eafcc1d2e7a08655c9cbdcbcfff99615f63fad8007c90",
    ("shortest", "L"): "86adbcd61b9081510ee3e9896ef7d3ff745e254538720daea34f136513f4dc69",
    ("shortest", "P"): "21ead9177a614b494f13757d275d5a7d9f9e0a202afb002ff9cf5247e9f5c2a1",
    ("shortest", "1"): "8cfaa7a972e7c4b20fee68ff4250a0d0d18b9d4fec96e68e9e2d8edc3f6d4c09",
    ("shortest", "RGBA"): "c1ed856c17ff9ce13333138237c1087444dc2c23aeeae36e8cefb67873af2b2b",
    ("shortest", "LA"): "e119dee81949e96f09b901fd74899fe4ef3e70bc294a986a675fe37f3f795759",
    ("shortest", "CMYK"): "52c1cf14d4acd7c83dbc9fc0969fef4ca3cb98e9bf1ab2356fd43f07ad72e7ca",
    ("shortest", "I;16"): "3af8a277bd6246aaf48d7081a0f2d482b81ff5852cd13b424291f0fd514517e4",
    ("squash", "RGB"): "8f94f08fe37d94e3733c2535908a6a5fe6ee2427348fa5dd9c2e6bee23430865",
    ("longest", "RGB"): "4a33e1b5422a26e636220e72e9268ff5d331fdd460b1613aab188df550c7676a",
    ("longest", "P"): "09402250c77c23f86393305b7cadd796ec94b9c9805f9a4352d57dc504a0d9b3",
}


@pytest.mark.parametrize(("resize", "mode"), GOLDEN)
def test_golden_pixels(picture: Draw, resize: str, mode: str) -> None:
    pixels = Preprocess(replace(SPEC, resize=resize))(picture(mode, 61, 40))
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == GOLDEN[resize, mode]


def test_result_is_a_contiguous_float32_array(picture: Draw) -> None:
    preprocess = Preprocess(replace(SPEC, size=(24, 40)))
    for pixels in (preprocess(picture("RGB", 61, 40)), preprocess.train(picture("RGB", 61, 40))):
        assert pixels.dtype == np.float32
        assert pixels.shape == (3, 24, 40)
        assert pixels.flags.c_contiguous
        assert pixels.flags.writeable


def test_every_value_of_a_pixel() -> None:
    """Division, subtraction, division: each rounded to float32."""
    values = np.arange(256, dtype=np.uint8).reshape(16, 16)
    image = Image.fromarray(np.stack([values] * 3, axis=-1))
    pixels = Preprocess(replace(SPEC, size=(16, 16)))(image)
    for channel in range(3):
        mean, std = np.float32(SPEC.mean[channel]), np.float32(SPEC.std[channel])
        for value, pixel in zip(values.flat, pixels[channel].flat, strict=True):
            assert pixel == (np.float32(value) / np.float32(255) - mean) / std


def test_longest_pads_with_the_fill(picture: Draw) -> None:
    preprocess = Preprocess(replace(SPEC, resize="longest", fill=255, mean=(0,) * 3, std=(1,) * 3))
    pixels = preprocess(picture("RGB", 64, 32))
    assert (pixels[:, :8] == 1).all()
    assert (pixels[:, -8:] == 1).all()
    assert not (pixels[:, 8] == 1).all()


def test_orientation_is_ignored(picture: Draw) -> None:
    image = picture("RGB", 61, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    file = io.BytesIO()
    image.save(file, format="PNG", exif=exif)
    assert Image.open(file).getexif()[0x0112] == 6
    assert np.array_equal(Preprocess(SPEC)(Image.open(file)), Preprocess(SPEC)(image))


def test_the_image_is_left_as_it_was(picture: Draw) -> None:
    image = picture("RGB", 32, 32)  # nothing to resize or to crop
    before = image.tobytes()
    Preprocess(SPEC)(image)
    assert image.tobytes() == before


def test_train_is_reproducible_by_its_generator(picture: Draw) -> None:
    preprocess, image = Preprocess(SPEC), picture("RGB", 200, 150)
    first, again = (preprocess.train(image, rng=np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    rng = np.random.default_rng(3)
    assert np.array_equal(first, preprocess.train(image, rng=rng))
    assert not np.array_equal(first, preprocess.train(image, rng=rng))


def test_train_differs_from_picture_to_picture_by_default(picture: Draw) -> None:
    preprocess, image = Preprocess(SPEC), picture("RGB", 200, 150)
    assert len({preprocess.train(image).tobytes() for _ in range(5)}) > 1


@pytest.mark.parametrize("image", [None, "dog.png", np.zeros((8, 8, 3), np.uint8)])
def test_what_is_no_image_is_refused(image: object) -> None:
    for transform in (Preprocess(SPEC), Preprocess(SPEC).train):
        with pytest.raises(UsageError, match="PIL image"):
            transform(image)


def test_a_picture_that_would_fill_the_memory_when_scaled_is_refused() -> None:
    """A few hundred bytes of PNG can be a line of 65,000 pixels, of which 224 lines make 10 GB."""
    preprocess = Preprocess(replace(SPEC, size=(224, 224), resize="shortest"))
    for size in ((20_000, 1), (1, 20_000), (1784, 1)):
        with pytest.raises(FormatError, match="too thin: scaled by its short side it would have"):
            preprocess(Image.new("L", size))
    assert preprocess(Image.new("L", (400, 1))).shape == (3, 224, 224)
    assert preprocess.train(Image.new("L", (20_000, 1))).shape == (3, 224, 224)


def test_a_picture_without_pixels_is_refused() -> None:
    for transform in (Preprocess(SPEC), Preprocess(SPEC).train):
        with pytest.raises(FormatError, match="0 x 5"):
            transform(Image.new("RGB", (0, 5)))
    with pytest.raises(FormatError, match="500 x 1 pixels is too thin"):
        Preprocess(replace(SPEC, resize="longest"))(Image.new("RGB", (500, 1)))
