"""Makes zoo/data/probe: the pictures and texts on which parity and pipeline are measured.

The pictures come from scikit-image's wheel, public domain or CC0 only (zoo/data/README.md has each
origin). They are cropped and reduced so that aspect ratios are odd and different, one side is
smaller than any model's input, and every kind of file that pictures come in is there: JPEG, grey,
palette, and transparency. The last two tell whether the conversion to RGB comes after the resize.

    python tools/make_probe.py            # needs scikit-image
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw

FOLDER = Path(__file__).parent.parent / "zoo" / "data" / "probe"

Box = tuple[int, int, int, int]  # left, top, right, bottom, pixels of the original
Size = tuple[int, int]  # width, height


def to_palette(picture: Image.Image) -> Image.Image:
    return picture.quantize(128, method=Image.Quantize.MEDIANCUT)


def to_transparent_corners(picture: Image.Image) -> Image.Image:
    """RGBA, opaque inside the inscribed ellipse."""
    alpha = Image.new("L", picture.size, 0)
    ImageDraw.Draw(alpha).ellipse((0, 0, picture.width - 1, picture.height - 1), fill=255)
    picture.putalpha(alpha)
    return picture


def unchanged(picture: Image.Image) -> Image.Image:
    return picture


PICTURES: dict[str, tuple[str, Box, Size, Callable[[Image.Image], Image.Image]]] = {
    "astronaut.jpg": ("astronaut.png", (20, 0, 382, 512), (213, 301), unchanged),
    "cat.png": ("chelsea.png", (0, 0, 451, 300), (301, 200), to_palette),
    "coffee.jpg": ("coffee.png", (0, 0, 600, 400), (319, 213), unchanged),
    "photographer.png": ("camera.png", (0, 40, 512, 440), (255, 199), unchanged),
    "retina.png": ("retina.jpg", (0, 0, 1411, 1411), (163, 163), to_transparent_corners),
    "rocket.jpg": ("rocket.jpg", (250, 0, 395, 427), (107, 315), unchanged),
}

TEXTS = [
    "a photo of an astronaut in an orange space suit",
    "A cup of espresso on a red saucer, with a small spoon.",
    "a close-up of a tabby cat's face",
    "a rocket on its launch pad at dusk, lit by floodlights",
    "a black and white photo of a man behind a tripod-mounted camera",
    "a photograph of the back of a human eye",
    "a diagram",
    "Le chat regarde à gauche ; il a les yeux verts.",
    "Eine Tasse Kaffee auf einem Holztisch — größer als gedacht?",
    "宇宙飛行士の肖像写真",
    "一杯放在红色碟子上的咖啡",
    "кошка с зелёными глазами",  # noqa: RUF001
    "قطة تنظر إلى اليسار",
    "अंतरिक्ष यात्री की तस्वीर",
    "กาแฟหนึ่งแก้ว",
    "고양이 사진 한 장",
    "🚀🌙 lift-off!!! 👩🏽‍🚀❤️",
    "it's 3.14159, isn't it? they'll say 2,539,567,105 isn't round",
    "&lt;b&gt;caf&eacute;&lt;/b&gt; &amp;amp; cr&egrave;me",
    "cafÃ© “quotes” … ﬁne",
    "<start_of_text>a cat<end_of_text> and a dog",
    "tabs\tand\nnew\r\nlines   and\u00a0hard\u3000spaces",
    " ".join(["a very long description of a cup of coffee on a wooden table"] * 9),
    "",
]


def main() -> None:
    import skimage

    originals = Path(skimage.__file__).parent / "data"
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, (original, box, size, convert) in PICTURES.items():
        with Image.open(originals / original) as picture:
            reduced = picture.resize(size, Image.Resampling.LANCZOS, box=box)
        reduced.info.clear()  # comments and profiles of the original
        options = {"quality": 90} if name.endswith(".jpg") else {"optimize": True}
        convert(reduced).save(FOLDER / name, **options)
    texts = json.dumps(TEXTS, ensure_ascii=False, indent=1) + "\n"
    (FOLDER / "texts.json").write_text(texts, encoding="utf-8")
    for path in sorted(FOLDER.iterdir()):
        print(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
