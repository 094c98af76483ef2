"""A CLIP as open_clip makes it from its own files, with its picture transform and tokenizer."""

from __future__ import annotations

import platform
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import PIL.Image

from zoo.errors import ConfigError, FormatError, NotFoundError
from zoo.verify.reference.libraries import open_clip, torch, torchvision_shimmed
from zoo.verify.request import ModelRequest


@dataclass(frozen=True, kw_only=True)
class Reference:
    """``model``: a CLIP or CustomTextCLIP in eval mode, float32; ``preprocess``: picture -> float32
    [3, height, width]; ``tokenizer``: texts -> int64 [n, length]."""

    model: Any
    preprocess: Callable[[PIL.Image.Image], torch.Tensor]
    tokenizer: Callable[[list[str]], torch.Tensor]

    @property
    def transformers(self) -> dict[str, Any]:
        """Each tower's transformer; CustomTextCLIP keeps the text tower in a module of its own."""
        text_tower = getattr(self.model, "text", self.model)
        return {"visual": self.model.visual.transformer, "text": text_tower.transformer}

    def pixels(self, path: str) -> torch.Tensor:
        """float32 [3, height, width].

        Raises:
            NotFoundError, FormatError: the picture is not there, or is none.
        """
        try:
            with PIL.Image.open(path) as picture:
                return self.preprocess(picture)
        except FileNotFoundError as error:
            raise NotFoundError("a picture is not there", where=path) from error
        except PIL.UnidentifiedImageError as error:
            raise FormatError("a file is not a picture", where=path) from error


def load(request: ModelRequest) -> Reference:
    """Loads what the request names.

    Raises:
        NotFoundError: a file is missing.
        ConfigError: open_clip refuses the configuration or the weights.
    """
    if request.folder is not None:
        name, weights = f"local-dir:{request.folder}", None
        needed = Path(request.folder, "open_clip_config.json")
        pickles = list(needed.parent.glob("*.bin"))
    else:
        # As an absolute path, or open_clip could take it for the tag of a download.
        needed = Path(str(request.weights)).absolute()
        name, weights = str(request.arch), str(needed)
        pickles = [needed]
    if not needed.is_file():
        raise NotFoundError("the reference's model is not there", where=needed)
    # Unmapped, the weights are in memory twice while they load. torch maps zip files alone.
    torch.utils.serialization.config.load.mmap = all(map(zipfile.is_zipfile, pickles))
    try:
        model, preprocess = open_clip.create_model_from_pretrained(name, pretrained=weights)
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".:")
        raise ConfigError(f"open_clip refuses the model: {reason}", where=needed) from error
    if request.dtype != "keep":
        round_parameters(model, getattr(torch, request.dtype))
    tokenizer = open_clip.get_tokenizer(name)
    return Reference(model=model.eval(), preprocess=preprocess, tokenizer=tokenizer)


@torch.no_grad()
def round_parameters(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Rounds every parameter to ``dtype``, to nearest even, and widens it to float32 again."""
    for parameter in model.parameters():
        parameter.copy_(parameter.to(dtype))


def environment(reference: Reference) -> dict[str, Any]:
    """What the figures depend on, for the evidence."""
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "open_clip": open_clip.__version__,
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "threads": torch.get_num_threads(),
        "model_class": type(reference.model).__name__,
        "torchvision_shim": torchvision_shimmed,
    }
