"""Hugging Face transformers' picture processing: ``preprocessor_config.json`` of CLIP.

What is absent has the default of transformers 5's CLIPImageProcessor. Its order of steps is its
own (RGB first, then resizing); what is read here is which sizes, filter and norm a model was
trained with.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from zoo.errors import ConfigError
from zoo.spec import Interpolation, Pair, PreprocessSpec, Resize
from zoo.spec.edges import check_sizes, take_size
from zoo.spec.fields import Fields, read_json_object
from zoo.spec.open_clip import OPENAI_MEAN, OPENAI_STD

CONFIG_NAME = "preprocessor_config.json"
PROCESSOR_NAME = "processor_config.json"  # where transformers 5 keeps it, when it keeps all in one
NAMES = (PROCESSOR_NAME, CONFIG_NAME)
KINDS = (
    "CLIPImageProcessor",
    "CLIPImageProcessorFast",
    "CLIPImageProcessorPil",
    "CLIPFeatureExtractor",  # its name of old
)
RESAMPLE: dict[int, Interpolation] = {2: "bilinear", 3: "bicubic"}  # PIL's numbers


def read(folder: Path, *, image_size: Pair) -> tuple[PreprocessSpec, Path] | None:
    """What a folder says, and the file that says it; None where none does.

    Raises:
        ConfigError: see ``parse``.
        FormatError: a file is not JSON.
    """
    path = folder / PROCESSOR_NAME
    data = read_json_object(path).get("image_processor") if path.is_file() else None
    if not isinstance(data, dict):
        path = folder / CONFIG_NAME
        if not path.is_file():
            return None
        data = read_json_object(path)
    return parse(data, path.name, image_size=image_size), path


def parse(data: dict[str, Any], where: str, *, image_size: Pair) -> PreprocessSpec:
    """Reads a parsed ``preprocessor_config.json``; ``where`` stands in messages.

    Args:
        data: the JSON object.
        where: the file, for messages.
        image_size: height and width that the image tower takes.

    Raises:
        ConfigError: a field is unknown, or asks for other steps than zoo's.
    """
    fields = Fields(data, where)
    for key in ("image_processor_type", "feature_extractor_type"):
        fields.choice(key, KINDS, KINDS[0])
    for step in ("do_resize", "do_rescale", "do_normalize", "do_convert_rgb"):
        fields.require(step, True)
    fields.require("default_to_square", False)
    fields.require("use_square_size", False)
    fields.require("do_pad", False)
    factor = fields.take("rescale_factor", float, 1 / 255)
    if not math.isclose(factor, 1 / 255, rel_tol=1e-12):
        raise ConfigError(f"rescale_factor = {factor} is not supported, 1/255 is", where=where)
    resample = fields.take("resample", int, 3)
    if resample not in RESAMPLE:
        raise ConfigError(f"resample = {resample} is not supported; 2 and 3 are", where=where)
    spec = PreprocessSpec(
        size=image_size,
        mean=fields.rgb("image_mean", OPENAI_MEAN),
        std=fields.std("image_std", OPENAI_STD),
        interpolation=RESAMPLE[resample],
        resize=_resize(fields, data, image_size),
        fill=0,
    )
    fields.ignore("processor_class", "_valid_processor_keys", "return_tensors")
    fields.ignore("data_format", "input_data_format", "device", "disable_grouping")
    fields.finish()
    return spec


def _resize(fields: Fields, data: dict[str, Any], image_size: Pair) -> Resize:
    resized, mode = take_size(fields, data, "size", plain="shortest")
    cropped, _ = take_size(fields, data, "crop_size", plain="shortest")
    if not fields.take("do_center_crop", bool, True):
        if mode == "shortest":
            raise ConfigError(
                "pictures are resized by the shortest side and not cropped", where=fields.where
            )
        cropped = resized
    check_sizes(resized, cropped, image_size, where=fields.where)
    return mode


def dump(preprocess: PreprocessSpec) -> dict[str, Any]:
    """``preprocessor_config.json``.

    Raises:
        ConfigError: transformers' processor can't do this.
    """
    height, width = preprocess.size
    if preprocess.resize == "longest":
        raise ConfigError("transformers' CLIP processor knows no resizing by the longest side")
    square = {"height": height, "width": width}
    squash = preprocess.resize == "squash"
    return {
        "image_processor_type": KINDS[0],
        "do_convert_rgb": True,
        "do_resize": True,
        "size": square if squash else {"shortest_edge": height},
        "resample": next(n for n, name in RESAMPLE.items() if name == preprocess.interpolation),
        "do_center_crop": not squash,
        "crop_size": square,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": list(preprocess.mean),
        "image_std": list(preprocess.std),
    }
