"""From a converted checkpoint to a model."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import numpy as np
import paddle
from numpy.typing import NDArray

from zoo.convert.native import open_native
from zoo.convert.readers import Checkpoint
from zoo.errors import ConfigError, MappingError, UsageError
from zoo.models.clip import CLIP
from zoo.models.positions import resize_image_positions, resize_text_positions
from zoo.runtime import REFUSALS, no_device
from zoo.spec import CLIPSpec, native
from zoo.spec.layout import Shape, native_shapes

DTYPES = ("float32", "float16", "bfloat16")
IMAGE_POSITIONS = "visual.positional_embedding"
TEXT_POSITIONS = "positional_embedding"
SHOWN = 5  # names in a message


def load_checkpoint(
    folder: Path,
    *,
    dtype: str = "float32",
    device: str | None = None,
    interpolate: bool = False,
    spec: CLIPSpec | None = None,
) -> CLIP:
    """Loads a converted checkpoint; no second copy of the weights is made on the way.

    Args:
        folder: what ``zoo convert`` wrote.
        dtype: ``float32``, ``float16`` or ``bfloat16``, to compute in; what is stored in another
            type is cast, and Paddle on CPU multiplies float32 only.
        device: Paddle's name of one, such as ``gpu:0``; None: Paddle's default.
        interpolate: resize position embeddings that were stored for another picture size or
            context length, as open_clip does, instead of refusing them.
        spec: what to build instead of what config.json says; the stored tensors have to fit.

    Returns:
        The model in eval mode.

    Raises:
        ConfigError: the position embeddings are of another size, or can't be interpolated.
        MappingError: names or shapes are not the specification's.
        UsageError: no such type or device, or the device does not compute in the type.
        ZooError: what reading the folder raises.
    """
    if dtype not in DTYPES:
        raise UsageError(f"{dtype} is none of {', '.join(DTYPES)}")
    spec = spec or native.read(folder / native.CONFIG_NAME)
    with _on(device), open_native(folder) as checkpoint:
        if dtype != "float32" and paddle.get_device() == "cpu":
            raise UsageError(
                f"Paddle on CPU does not multiply {dtype}", remedy="Leave dtype at float32."
            )
        shapes = native_shapes(spec)
        _check_names(checkpoint, shapes)
        _check_shapes(checkpoint, shapes, interpolate)
        model = CLIP(spec)
        for name, parameter in model.named_parameters():
            parameter.set_value(_fitting(checkpoint.tensor(name), name, spec))
    if dtype != "float32":
        model.to(dtype=dtype)
    model.eval()
    return model


def _on(device: str | None) -> Any:
    """A context in which Paddle's default device is ``device``."""
    if device is None:
        return nullcontext()
    try:
        return paddle.device.device_guard(device)
    except REFUSALS as error:
        raise no_device(device, error) from error


def _check_names(checkpoint: Checkpoint, shapes: dict[str, Shape]) -> None:
    missing = [name for name in shapes if name not in checkpoint.tensors]
    unknown = [name for name in checkpoint.tensors if name not in shapes]
    if missing or unknown:
        parts = [
            f"{len(names)} tensors are {what}: {_listed(names, others)}"
            for what, names, others in (
                ("missing", missing, unknown),
                ("not the specification's", unknown, missing),
            )
            if names
        ]
        raise MappingError("; ".join(parts), where=checkpoint.files[0])


def _listed(names: list[str], others: Iterable[str]) -> str:
    """The first names, each with the nearest of the others."""
    shown = []
    for name in names[:SHOWN]:
        near = get_close_matches(name, others, n=1)
        shown.append(f"{name} (nearest: {near[0]})" if near else name)
    return ", ".join(shown) + (", ..." if len(names) > SHOWN else "")


def _check_shapes(checkpoint: Checkpoint, shapes: dict[str, Shape], interpolate: bool) -> None:
    for name, shape in shapes.items():
        stored = checkpoint.tensors[name].shape
        if stored == shape:
            continue
        if name in (IMAGE_POSITIONS, TEXT_POSITIONS) and stored[1:] == shape[1:]:
            if not interpolate:
                raise ConfigError(
                    f"{name} has {stored[0]} positions, and the configuration wants {shape[0]}",
                    where=checkpoint.files[0],
                    remedy="Pass interpolate=True to resize them.",
                )
        else:
            raise MappingError(
                f"{name} has the shape {list(stored)}, and the specification wants {list(shape)}",
                where=checkpoint.files[0],
            )


def _fitting(stored: NDArray[Any], name: str, spec: CLIPSpec) -> NDArray[np.float32]:
    """A tensor as the model takes it: float32, its positions as many as the specification's."""
    if name == IMAGE_POSITIONS and spec.vision and len(stored) != spec.vision.tokens:
        stored = resize_image_positions(stored, spec.vision.grid)
    if name == TEXT_POSITIONS and spec.text and len(stored) != spec.text.context_length:
        stored = resize_text_positions(stored, spec.text.context_length)
    return np.asarray(stored, np.float32)
