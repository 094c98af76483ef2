from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.errors import FormatError, InputError, NotFoundError, PathError, TruncatedError
from zoo.inputs import images
from zoo.inputs.images import open_image

Draw = Callable[[str, int, int], Image.Image]
FORMATS = ["jpg", "png", "webp", "gif", "bmp", "tiff", "ppm"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_opens(tmp_path: Path, picture: Draw, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture("RGB", 40, 30).save(path)
    with Image.open(path) as image:
        assert np.array_equal(open_image(path).convert("RGB"), image.convert("RGB"))


@pytest.mark.parametrize("suffix", ["gif", "tiff"])
def test_an_animation_is_its_first_frame(tmp_path: Path, picture: Draw, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    first = picture("L", 40, 30)
    first.save(path, save_all=True, append_images=[first.rotate(180), first.rotate(90)])
    image = open_image(path)
    path.unlink()
    assert np.array_equal(image.convert("L"), first)


@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "ppm"])
def test_a_file_cut_off_is_truncated(tmp_path: Path, picture: Draw, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    picture("RGB", 200, 150).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(TruncatedError, match=str(path)):
        open_image(path)


def test_any_cut_is_an_input_error(tmp_path: Path, picture: Draw) -> None:
    path = tmp_path / "a.jpg"
    picture("RGB", 40, 30).save(path)
    content = path.read_bytes()
    for length in range(0, len(content) - 2, 7):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=str(path)):
            open_image(path)


def test_what_is_no_picture_is_a_format_error(tmp_path: Path, picture: Draw) -> None:
    path = tmp_path / "truncated.jpg"
    path.write_text("<html>not found</html>")
    with pytest.raises(FormatError, match=str(path)):
        open_image(path)


def test_postscript_is_not_run(tmp_path: Path, picture: Draw) -> None:
    path = tmp_path / "a.jpg"
    picture("RGB", 40, 30).save(path, format="EPS")
    with pytest.raises(FormatError, match="no picture"):
        open_image(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_image(tmp_path / "none.png")
    with pytest.raises(PathError):
        open_image(tmp_path)


@pytest.mark.parametrize("factor", [0.5, 3])
def test_too_many_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, picture: Draw, factor: float
) -> None:
    """Beyond PIL's own bound, and short of it."""
    path = tmp_path / "a.png"
    picture("RGB", 40, 30).save(path)
    monkeypatch.setattr(images, "MAX_PIXELS", 40 * 30)
    assert open_image(path).size == (40, 30)
    monkeypatch.setattr(images, "MAX_PIXELS", 40 * 30 - 1)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", int(40 * 30 / factor))
    with pytest.raises(FormatError, match="1,199 pixels"):
        open_image(path)
