"""zoo with its towers computed in another way, eager or through Paddle Inference."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from benchmarks.contestants.serve import Works
from benchmarks.contestants.variants import VARIANTS, paddle
from zoo.deploy import write
from zoo.deploy.encoder import open_encoder
from zoo.deploy.folder import CONFIG_NAME, Products, Programs, declare
from zoo.deploy.request import WriteRequest
from zoo.models import loading
from zoo.models.clip import CLIP

Change = Callable[[CLIP], object]


def prepare(
    folder: str,
    variant: str | None = None,
    tower: str = "image",
    programs: str | None = None,
    products: Products | None = None,
) -> Works:
    """
    Args:
        folder: a converted checkpoint.
        variant: of VARIANTS; None: zoo's own way.
        tower: which is changed, image or text.
        programs: a folder to make, for Paddle Inference; None: eager.
        products: whose products the programs have; None: whose zoo chooses.
    """

    def change(model: CLIP) -> None:
        if variant and tower == "image":
            model.visual = VARIANTS[variant](model.visual)
        elif variant:
            VARIANTS[variant](model)

    if programs is None:
        return _eager(Path(folder), change)
    return _deployed(Path(folder), change, Path(programs), products)


def _eager(folder: Path, change: Change) -> Works:
    model = loading.load_checkpoint(folder)
    change(model)

    def images(pixels: Any) -> Any:
        with paddle.no_grad():
            return model.encode_image(pixels).numpy()

    return {"images": images}


def _deployed(folder: Path, change: Change, place: Path, products: Products | None) -> Works:
    """By zoo's own writer, which is given a changed model and another choice of products."""
    load = loading.load_checkpoint

    def changed(*arguments: Any, **options: Any) -> CLIP:
        model = load(*arguments, **options)
        change(model)
        return model

    def chosen(*arguments: Any, **options: Any) -> Programs:
        record = declare(*arguments, **options)
        if products is None or record.image is None or record.text is None:
            return record
        image, text = (replace(p, products=products) for p in (record.image, record.text))
        return replace(record, image=image, image_bfloat16=None, text=text)

    loading.load_checkpoint = changed
    vars(write)["declare"] = chosen
    place.mkdir()
    write.write(WriteRequest(folder=str(folder), out=str(place)))
    shutil.copyfile(folder / CONFIG_NAME, place / CONFIG_NAME)
    encoder = open_encoder(place)
    return {"images": encoder.encode_image, "texts": encoder.encode_text}
