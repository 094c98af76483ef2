from __future__ import annotations

import runpy
from pathlib import Path

from PIL import Image

from zoo.verify.probe import load_probe

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "make_probe.py"))


def test_the_probe_is_this_scripts() -> None:
    probe = load_probe()
    assert probe.folder == TOOL["FOLDER"]
    assert list(probe.texts) == TOOL["TEXTS"]
    sizes = {}
    for path in probe.images:
        with Image.open(path) as picture:
            sizes[path.name] = picture.size
    assert sizes == {name: size for name, (_, _, size, _) in TOOL["PICTURES"].items()}


def test_corners_are_transparent_and_the_middle_is_not() -> None:
    picture = TOOL["to_transparent_corners"](Image.new("RGB", (21, 11), "red"))
    alpha = picture.getchannel("A")
    assert [alpha.getpixel(at) for at in ((0, 0), (20, 10), (10, 5), (10, 0))] == [0, 0, 255, 255]
