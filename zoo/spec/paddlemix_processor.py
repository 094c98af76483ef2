"""PaddleMIX's four processor files: how its scripts prepare pictures and texts.

What is absent has PaddleMIX's own default, which is no CLIP's: mean and std 0.5, bilinear, squash.
Its evaluation always resizes and crops, and reads ``interpolation``, not ``resample``.
"""

from __future__ import annotations

from typing import Any

from zoo.errors import ConfigError
from zoo.spec import INTERPOLATIONS, RGB, Pair, PreprocessSpec, Resize
from zoo.spec.edges import check_sizes, take_size
from zoo.spec.fields import Fields

TRAIN, EVAL = "processor/train", "processor/eval"
IMAGE_NAME, TEXT_NAME = "image_preprocessor_config.json", "text_preprocessor_config.json"
HALF: RGB = (0.5, 0.5, 0.5)
TRAIN_SCALE = [0.9, 1.0]  # fraction of the area that a random crop keeps, as open_clip's
PIL_BICUBIC = 3


def parse(data: dict[str, Any], where: str, *, image_size: Pair) -> PreprocessSpec:
    """Reads a parsed ``processor/eval/image_preprocessor_config.json``.

    Args:
        data: the JSON object.
        where: the file, for messages.
        image_size: height and width that the image tower takes.

    Raises:
        ConfigError: a field is unknown, or asks for other steps than zoo's.
    """
    fields = Fields(data, where)
    fields.require("do_rescale", False)  # pictures are divided by 255 in any case
    fields.require("do_normalize", True)
    fields.require("do_convert_rgb", True)
    fields.ignore("processor_type", "image_processor_type", "resample", "rescale_factor", "mode")
    fields.ignore("do_resize", "do_crop", "do_flip", "do_rand_resize_crop", "scale", "flip_prob")
    plain: Resize = "squash" if fields.take("default_to_square", bool, True) else "shortest"
    size, resize = take_size(fields, data, "size", plain=plain)
    cropped, _ = take_size(fields, data, "crop_size", plain=plain)
    check_sizes(size, cropped, image_size, where=where)
    spec = PreprocessSpec(
        size=image_size,
        mean=fields.rgb("image_mean", HALF),
        std=fields.std("image_std", HALF),
        interpolation=fields.choice("interpolation", INTERPOLATIONS, "bilinear"),
        resize=resize,
        fill=0,
    )
    fields.finish()
    return spec


def dump(preprocess: PreprocessSpec, context_length: int) -> dict[str, dict[str, Any]]:
    """The four files, by their paths.

    Raises:
        ConfigError: PaddleMIX can't prepare pictures so.
    """
    height, width = preprocess.size
    if preprocess.resize == "longest" or height != width:
        raise ConfigError(
            f"PaddleMIX prepares square pictures, by the shortest side or by squashing; this model "
            f"takes {height} x {width}, resized by {preprocess.resize}"
        )
    square = {"height": height, "width": width}
    image = {
        "processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "default_to_square": False,
        "do_crop": True,
        "crop_size": height,
        "resample": PIL_BICUBIC,
        "interpolation": preprocess.interpolation,
        "do_rescale": False,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
        "do_convert_rgb": True,
        "do_flip": False,
        "scale": TRAIN_SCALE,
    }
    text = {"processor_type": "CLIPTextProcessor", "prompt": "", "max_words": context_length}
    kept = square if preprocess.resize == "squash" else {"shortest_edge": height}
    return {
        f"{TRAIN}/{IMAGE_NAME}": {**image, "size": square, "do_rand_resize_crop": True},
        f"{TRAIN}/{TEXT_NAME}": text,
        f"{EVAL}/{IMAGE_NAME}": {**image, "size": kept, "do_rand_resize_crop": False},
        f"{EVAL}/{TEXT_NAME}": text,
    }
