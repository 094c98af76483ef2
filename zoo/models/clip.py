"""CLIP (https://arxiv.org/abs/2103.00020): two towers that meet in one space.

Shapes: B pictures, T texts, L tokens, E embedding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import paddle
import paddle.nn.functional as F
from numpy.typing import NDArray
from paddle import Tensor

from zoo.errors import UsageError
from zoo.models.text import TextTower
from zoo.models.vit import VisionTower
from zoo.models.zeroshot import Progress, build_classifier
from zoo.spec import CLIPSpec

Array = Tensor | NDArray[Any]
PIXELS = "Prepare a picture first: model.encode_image(preprocess(image)[None])"
TOKENS = "Tokenize texts first: model.encode_text(tokenizer(['a dog', 'a cat']))"


class CLIPOutput(NamedTuple):
    """Unit features [B, E] and [T, E], and the factor [1] that makes cosines logits."""

    image_features: Tensor
    text_features: Tensor
    logit_scale: Tensor


class CLIP(TextTower):
    """A CLIP of a given specification; its parameters have the native names and layouts.

    It has no weights, and its parameters take no memory, until zoo.models.loading or
    zoo.models.initialize gives it some. A tower that the specification lacks is absent.
    """

    def __init__(self, spec: CLIPSpec) -> None:
        with paddle.LazyGuard():
            super().__init__(spec.text, spec.embed_dim)
            self.spec = spec
            if spec.vision is not None:
                self.visual = VisionTower(spec.vision, spec.embed_dim)
            if spec.vision is not None and spec.text is not None:
                self.logit_scale = self.create_parameter([1])

    def forward(self, pixels: Array, tokens: Array) -> CLIPOutput:
        """Both towers; as ``encode_image`` and ``encode_text`` with ``normalize``."""
        return CLIPOutput(
            self.encode_image(pixels, normalize=True),
            self.encode_text(tokens, normalize=True),
            self.logit_scale.exp(),
        )

    def encode_image(self, pixels: Array, normalize: bool = False) -> Tensor:
        """Embeds preprocessed pictures.

        Args:
            pixels: float [B, 3, height, width].
            normalize: scale each embedding to length 1.

        Returns:
            [B, E], in the type of the weights.

        Raises:
            UsageError: they are no pixels, the shape is another, or the model has no image tower.
        """
        if self.spec.vision is None:
            raise UsageError("this model has no image tower")
        pixels = self._tensor(pixels, remedy=PIXELS)
        expected = [3, *self.spec.vision.image_size]
        if list(pixels.shape[1:]) != expected:
            raise UsageError(
                f"pixels have the shape {list(pixels.shape)}, and the model takes [n, 3, height, "
                f"width] of {expected}",
                remedy=PIXELS,
            )
        features = self.visual(pixels.astype(self.visual.proj.dtype))
        return F.normalize(features) if normalize else features

    def encode_text(self, tokens: Array, normalize: bool = False) -> Tensor:
        """Embeds tokenized texts.

        Attention is causal and the end token is what counts, so what follows the last one is cut
        off: the result is the same, and sooner there.

        Args:
            tokens: int [T, L], L the context length or less.
            normalize: scale each embedding to length 1.

        Returns:
            [T, E], in the type of the weights.

        Raises:
            UsageError: they are no tokens, the shape is another, or the model has no text tower.
        """
        if self.spec.text is None:
            raise UsageError("this model has no text tower")
        tokens = self._tensor(tokens, remedy=TOKENS)
        if not paddle.is_integer(tokens):
            raise UsageError(f"tokens are integers, not {tokens.dtype}", remedy=TOKENS)
        if tokens.ndim != 2 or tokens.shape[1] > self.spec.text.context_length:
            raise UsageError(
                f"tokens have the shape {list(tokens.shape)}, and the model takes [n, length] "
                f"with at most {self.spec.text.context_length} tokens",
                remedy=TOKENS,
            )
        end = int(tokens.argmax(axis=1).max())
        features = TextTower.forward(self, tokens[:, : end + 1])
        return F.normalize(features) if normalize else features

    def build_zero_shot_classifier(
        self,
        names: Sequence[str],
        templates: Sequence[str],
        *,
        batch_size: int = 256,
        progress: Progress = lambda done, of: None,
    ) -> Tensor:
        """One unit column per class, [E, classes]; see zoo.models.zeroshot."""

        def encode(tokens: NDArray[np.int64]) -> NDArray[np.float32]:
            with paddle.no_grad():
                return self.encode_text(tokens, normalize=True).astype("float32").numpy()

        columns = build_classifier(
            encode, self.spec, names, templates, batch_size=batch_size, progress=progress
        )
        return paddle.to_tensor(columns, dtype=self.text_projection.dtype)

    def _tensor(self, array: Array, *, remedy: str) -> Tensor:
        """The input where the weights are; ``remedy`` is for what holds no numbers."""
        _, weight = next(self.named_parameters())
        if not weight._is_initialized():
            raise UsageError("the model has no weights yet", remedy="Load or initialize it first.")
        if isinstance(array, Tensor):
            return array
        try:
            array = np.ascontiguousarray(array)
        except ValueError as error:  # rows of different lengths
            raise UsageError(f"this is no array: {error}", remedy=remedy) from error
        if array.dtype.kind not in "iuf":
            raise UsageError(
                f"an array of numbers is expected, not of {array.dtype}", remedy=remedy
            )
        return paddle.to_tensor(array, place=weight.place)
