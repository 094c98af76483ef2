"""What a folder of programs holds.

::

    image.json, image.pdiparams    pixels float32 [n, 3, height, width] -> features [n, E]
    text.json, text.pdiparams      tokens int64 [n, L], L the context length or less -> [n, E]
    inference.json                 this module's record of them
    config.json                    the whole specification, preprocessing included
    README.md, provenance.json

Features are not normalised. A model of one tower has one program.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from zoo.convert.select import PROGRAMS_NAME as RECORD_NAME
from zoo.errors import ConfigError, NotFoundError
from zoo.files import pretty_json
from zoo.spec import CLIPSpec, native

CONFIG_NAME = native.CONFIG_NAME
README_NAME = "README.md"


class Program(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One tower; ``shape`` is its input's, None where any size will do.

    ``onednn`` says whether it goes through oneDNN, which Paddle Inference takes unless told
    otherwise.
    """

    program: str
    weights: str
    input: str
    dtype: str
    shape: tuple[int | None, ...]
    onednn: bool


# oneDNN is faster on images, and on texts half as fast. Its float32 is the coarser one: the image
# tower's error is 0.8 of the band's width after ViT-B-32's 12 blocks, and 1.03 after ViT-L-14's 24,
# which is outside, and no faster there.
ONEDNN_BLOCKS = 12


class Programs(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``logit_scale`` is the stored one: its exponential makes cosines logits."""

    schema_version: int
    paddle: str
    embed_dim: int
    image: Program | None
    text: Program | None
    logit_scale: float | None


def declare(spec: CLIPSpec, *, paddle: str, logit_scale: float | None) -> Programs:
    """The record of the programs of a model.

    Args:
        spec: the model's.
        paddle: the version that writes them.
        logit_scale: the model's.
    """
    image = text = None
    if spec.vision is not None:
        shape = (None, 3, *spec.vision.image_size)
        shallow = spec.vision.layers <= ONEDNN_BLOCKS
        image = _program("image", "pixels", "float32", shape, onednn=shallow)
    if spec.text is not None:
        text = _program("text", "tokens", "int64", (None, None), onednn=False)
    return Programs(
        schema_version=1,
        paddle=paddle,
        embed_dim=spec.embed_dim,
        image=image,
        text=text,
        logit_scale=logit_scale,
    )


def _program(
    name: str, takes: str, dtype: str, shape: tuple[int | None, ...], *, onednn: bool
) -> Program:
    return Program(
        program=f"{name}.json",
        weights=f"{name}.pdiparams",
        input=takes,
        dtype=dtype,
        shape=shape,
        onednn=onednn,
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
        raise ConfigError(f"not a record of programs: {error}", where=path) from None
