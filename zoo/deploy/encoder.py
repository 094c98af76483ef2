"""Unit features by the faster way there is: programs on CPU, the module elsewhere."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from zoo.cache import reading
from zoo.deploy import folder as programs
from zoo.deploy.cached import programs_for
from zoo.deploy.predictor import Predictor
from zoo.errors import ConfigError, UsageError
from zoo.runtime import import_paddle, read_processor
from zoo.spec import CLIPSpec, native
from zoo.talk import Silence, Talk
from zoo.verify.request import Precision

Features = NDArray[np.float32]
BFLOAT16 = {"avx512_bf16", "amx_bf16"}  # processors that multiply it, by what Linux calls it


class Encoder(Protocol):
    """Pictures and texts to unit features, float32 [n, E].

    Attributes:
        spec: the model's.
        path: what computes each tower, in words.
        programs: their folder, where it is programs that compute.
    """

    @property
    def spec(self) -> CLIPSpec: ...

    @property
    def path(self) -> dict[str, str]: ...

    @property
    def programs(self) -> Path | None: ...

    def encode_image(self, pixels: NDArray[Any]) -> Features:
        """float32 [n, 3, height, width] -> [n, E]"""

    def encode_text(self, tokens: NDArray[Any]) -> Features:
        """int64 [n, L] -> [n, E]"""


def open_encoder(
    folder: Path, precision: Precision = "float32", talk: Talk | None = None
) -> Encoder:
    """The encoder of a model.

    Args:
        folder: a converted checkpoint, or programs of one.
        precision: what the towers compute in. On CPU bfloat16 is the image tower's alone: it
            makes texts slower, and coarser.
        talk: progress.

    Raises:
        UsageError: the device does not compute in the precision.
        ZooError: what loading and writing programs raise; Paddle not installed.
    """
    paddle = import_paddle(parity=True)  # before zoo.models, which would import it without
    deployed = programs.holds_programs(folder)
    if paddle.get_device() != "cpu" and not deployed:
        return Eager(folder, precision)
    if precision == "float16":
        raise UsageError("Paddle on CPU does not multiply float16", remedy="Choose float32.")
    if precision == "bfloat16":
        processor = read_processor()
        if processor is None or not processor.flags & BFLOAT16:
            raise UsageError("this processor does not multiply bfloat16", remedy="Choose float32.")
    found = folder if deployed else programs_for(folder, talk or Silence())
    return Deployed(found, bfloat16=precision == "bfloat16", talk=talk or Silence())


class Deployed:
    """Programs, each opened when it is first used; those of the cache are not removed meanwhile."""

    def __init__(self, folder: Path, *, bfloat16: bool, talk: Talk) -> None:
        held = ExitStack()
        held.enter_context(reading(folder, talk.say))
        weakref.finalize(self, held.close)
        self.spec = native.read(folder / programs.CONFIG_NAME)
        self.programs = folder
        self._bfloat16 = bfloat16
        self._record = programs.read(folder)

    @property
    def path(self) -> dict[str, str]:
        return {
            "image": self._told(self._image_program, "bfloat16" if self._bfloat16 else "float32"),
            "text": self._told(self._record.text, "float32"),
        }

    def encode_image(self, pixels: NDArray[Any]) -> Features:
        """Filled up to a power of two: oneDNN keeps a copy of the weights for each batch size."""
        count = len(pixels)
        size = 1 << (count - 1).bit_length()
        if size > count:
            pixels = np.concatenate(
                [pixels, np.zeros_like(pixels, shape=(size - count, *pixels.shape[1:]))]
            )
        return _unit(self._image(pixels)[:count])

    def encode_text(self, tokens: NDArray[Any]) -> Features:
        """Attention is causal: what follows the last end token changes nothing, and is cut."""
        end = int(tokens.argmax(axis=1).max())
        return _unit(self._text(tokens[:, : end + 1]))

    def _told(self, program: programs.Program | None, precision: str) -> str:
        onednn = "oneDNN"
        if program is not None and program.products == "paddle":
            onednn += " but for products"
        return f"Paddle Inference {self._record.paddle}, {onednn}, {precision}"

    @property
    def _image_program(self) -> programs.Program | None:
        rounded = self._record.image_bfloat16 if self._bfloat16 else None
        return rounded or self._record.image

    @cached_property
    def _image(self) -> Predictor:
        if self._image_program is None:
            raise ConfigError("this model has no image tower", where=self.programs)
        return Predictor(self.programs, self._image_program, bfloat16=self._bfloat16)

    @cached_property
    def _text(self) -> Predictor:
        if self._record.text is None:
            raise ConfigError("this model has no text tower", where=self.programs)
        return Predictor(self.programs, self._record.text)


class Eager:
    """The module itself, on Paddle's device."""

    programs = None

    def __init__(self, folder: Path, precision: Precision) -> None:
        import paddle

        from zoo.models.loading import load_checkpoint

        self._model = load_checkpoint(folder, dtype=precision)
        self.spec = self._model.spec
        told = f"Paddle {paddle.__version__}, eager, {paddle.get_device()}, {precision}"
        self.path = {"image": told, "text": told}

    def encode_image(self, pixels: NDArray[Any]) -> Features:
        return self._features(self._model.encode_image, pixels)

    def encode_text(self, tokens: NDArray[Any]) -> Features:
        return self._features(self._model.encode_text, tokens)

    def _features(self, encode: Any, values: NDArray[Any]) -> Features:
        import paddle

        with paddle.no_grad():
            features: Features = encode(values, normalize=True).astype("float32").numpy()
        return features


def _unit(features: Features) -> Features:
    return features / np.linalg.norm(features, axis=1, keepdims=True)
