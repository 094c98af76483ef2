"""What a folder of programs holds.

::

    image.json, image.pdiparams    pixels float32 [n, 3, height, width] -> features [n, E]
    image-bfloat16.json            the same for bfloat16, on the same weights, where it is another
    text.json, text.pdiparams      tokens int64 [n, L], L the context length or less -> [n, E]
    inference.json                 this module's record of them
    config.json                    the whole specification, preprocessing included
    README.md, provenance.json

Features are not normalised. A model of one tower has one program.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec
from msgspec.structs import replace

from zoo.convert.select import PROGRAMS_NAME as RECORD_NAME
from zoo.errors import ConfigError, NotFoundError
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, native

CONFIG_NAME = native.CONFIG_NAME
README_NAME = "README.md"
SCHEMA_VERSION = 2
WEIGHTS = ".pdiparams"


Products = Literal["onednn", "paddle"]


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tower; ``shape`` is its input's, None where any size will do.

    ``products`` says whose the linear layers' products are; the rest is oneDNN's either way.
    """

    program: str
    weights: str
    input: str
    dtype: str
    shape: tuple[int | None, ...]
    products: Products


# oneDNN's float32 products are the coarser ones, by 1.7: through them the image tower's error is
# 0.8 of the band's width after ViT-B-32's 12 blocks, and 1.03, outside, after ViT-L-14's 24.
ONEDNN_BLOCKS = 12


class Programs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``image_bfloat16`` is None where ``image`` serves for bfloat16 too; ``logit_scale`` is the
    stored one: its exponential makes cosines logits.
    """

    schema_version: int
    paddle: str
    embed_dim: int
    image: Program | None
    image_bfloat16: Program | None
    text: Program | None
    logit_scale: float | None


def declare(spec: CLIPSpec, *, paddle: str, logit_scale: float | None) -> Programs:
    """The record of the programs of a model.

    Args:
        spec: the model's.
        paddle: the version that writes them.
        logit_scale: the model's.
    """
    image = rounded = text = None
    if spec.vision is not None:
        image = Program(
            program="image.json",
            weights=f"image{WEIGHTS}",
            input="pixels",
            dtype="float32",
            shape=(None, 3, *spec.vision.image_size),
            products="onednn",
        )
        if spec.vision.layers > ONEDNN_BLOCKS:
            rounded = replace(image, program="image-bfloat16.json")
            image = replace(image, products="paddle")
    if spec.text is not None:
        # oneDNN keeps its products' weights once more for every shape of a batch, and texts have
        # many.
        text = Program(
            program="text.json",
            weights=f"text{WEIGHTS}",
            input="tokens",
            dtype="int64",
            shape=(None, None),
            products="paddle",
        )
    return Programs(
        schema_version=SCHEMA_VERSION,
        paddle=paddle,
        embed_dim=spec.embed_dim,
        image=image,
        image_bfloat16=rounded,
        text=text,
        logit_scale=logit_scale,
    )


def holds_programs(folder: Path) -> bool:
    """Whether a folder holds the deployed form."""
    return (folder / RECORD_NAME).is_file()


def encode(record: Programs) -> bytes:
    """The bytes of ``inference.json``."""
    return pretty_json(msgspec.to_builtins(record))


def read(folder: Path) -> Programs:
    """Reads a folder's record.

    Raises:
        NotFoundError: the folder holds no programs.
        ConfigError: the record is not what zoo writes.
    """
    path = folder / RECORD_NAME
    try:
        return msgspec.json.decode(path.read_bytes(), type=Programs)
    except FileNotFoundError:
        raise NotFoundError(
            "this folder holds no programs", where=folder, remedy="See: zoo export --to inference"
        ) from None
    except msgspec.MsgspecError as error:
        raise ConfigError(
            f"not a record of programs of this version: {error}",
            where=path,
            remedy="Export them again: zoo export --to inference",
        ) from None
