"""Pictures as data sets have them; tests/bad_inputs/test_pictures.py shows what becomes of each."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from io import BytesIO

from PIL import Image

from tests.bad_inputs.case import Row

TITLE = "Pictures of a data set"


@dataclass(frozen=True, kw_only=True)
class Picture(Row):
    """A row that one file of a data set shows; ``file`` makes its bytes."""

    suffix: str
    file: Callable[[], bytes]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def gradient(mode: str = "RGB") -> Image.Image:
    """Dark on the left, bright on the right, and different at the top and the bottom."""
    image = Image.linear_gradient("L").resize((24, 20)).rotate(90, expand=True)
    return Image.merge("RGB", (image, image.transpose(Image.Transpose.ROTATE_180), image)).convert(
        mode
    )


def turned() -> bytes:
    image = gradient()
    exif = image.getexif()
    exif[0x0112] = 6  # the camera was held upright
    return saved(image, "JPEG", exif=exif)


def sixteen_bits() -> bytes:
    image = gradient("L").convert("I").point(lambda value: value * 257)
    return saved(image.convert("I;16"), "PNG")


def animated() -> bytes:
    frames = [gradient("L").rotate(angle) for angle in (0, 90, 180)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


def palette() -> bytes:
    return saved(gradient().quantize(16), "PNG", transparency=3)


def chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


@cache
def bomb() -> bytes:
    """300 million black pixels in little more than 1 MB."""
    width, height = 20_000, 15_000
    head = struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(bytes((width + 1) * height), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _read(input: str, file: Callable[[], bytes], suffix: str = "png", *, note: str) -> Picture:
    return Picture(input=input, code=0, note=note, file=file, suffix=suffix)


def _refused(input: str, file: Callable[[], bytes], says: str, suffix: str = "png") -> Picture:
    return Picture(input=input, code=3, name="CHECK", says=(says,), file=file, suffix=suffix)


PICTURES = {
    "1-pixel": _read(
        "a picture of one pixel", lambda: saved(gradient().resize((1, 1)), "PNG"), note="enlarged"
    ),
    "cmyk": _read(
        "a JPEG in CMYK",
        lambda: saved(gradient("CMYK"), "JPEG", quality=95),
        "jpg",
        note="read as RGB",
    ),
    "16-bit": _read("16 bits per pixel", sixteen_bits, note="read as open_clip does"),
    "palette": _read("a palette with transparency", palette, note="read as RGB, without it"),
    "alpha": _read(
        "RGB with transparency", lambda: saved(gradient("RGBA"), "PNG"), note="read without it"
    ),
    "animated": _read("an animation", animated, "gif", note="its first frame"),
    "exif": _read(
        "a photograph that Exif says to turn", turned, "jpg", note="not turned, as open_clip does"
    ),
    "0-byte": _refused("a picture of 0 bytes", bytes, "FORMAT: The file is no picture"),
    "cut": _refused(
        "a picture that is cut off",
        lambda: saved(Image.effect_noise((64, 64), 80), "PNG")[:1000],
        "TRUNCATED: The picture file is cut off",
    ),
    "line": _refused(
        "a line of 90,000 pixels, which scaled by its short side fills the memory",
        lambda: saved(Image.new("L", (90_000, 1)), "PNG"),
        "FORMAT: A picture of 90000 x 1 pixels is too thin",
    ),
    "300-mp": _refused(
        "a picture of 300 megapixels in 1.3 MB", bomb, "FORMAT: The picture has more than"
    ),
    "web-page": _refused(
        "a web page in place of a picture",
        lambda: b"<html>not found</html>",
        "FORMAT: The file is no picture",
        "jpg",
    ),
}
