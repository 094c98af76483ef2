"""What a reference is to the process: one interface over open_clip's CLIP and transformers'."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import PIL.Image

from zoo.errors import FormatError, NotFoundError
from zoo.verify.reference.libraries import torch


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A model with its picture transform and tokenizer; what a missing tower would need is None.

    Attributes:
        model: in eval mode, float32; ``encode_image`` and ``encode_text`` as open_clip's CLIP has
            them, and ``logit_scale``.
        blocks: each tower's, under ``visual`` and ``text``.
        embeddings: modules that look up and add within themselves, so that float64 has to find
            them widened as a whole.
        preprocess: picture -> float32 [3, height, width].
        tokenizer: texts -> int64 [n, length].
    """

    model: Any
    blocks: Mapping[str, Sequence[torch.nn.Module]]
    embeddings: Sequence[torch.nn.Module] = ()
    preprocess: Callable[[PIL.Image.Image], torch.Tensor] | None
    tokenizer: Callable[[list[str]], torch.Tensor] | None

    def pixels(self, path: str, data: bytes | None = None) -> torch.Tensor:
        """float32 [3, height, width], of a file or of its bytes.

        Raises:
            NotFoundError, FormatError: the picture is not there, or is none.
        """
        assert self.preprocess is not None
        try:
            with PIL.Image.open(path if data is None else BytesIO(data)) as picture:
                return self.preprocess(picture)
        except FileNotFoundError as error:
            raise NotFoundError("a picture is not there", where=path) from error
        except PIL.UnidentifiedImageError as error:
            raise FormatError("a file is not a picture", where=path) from error
