"""The model that a request names, and what its figures depend on."""

from __future__ import annotations

import platform
from importlib import import_module
from typing import Any

import numpy
import PIL.Image

from zoo.verify.reference.interface import Reference
from zoo.verify.reference.libraries import open_clip, torch, torchvision_shimmed
from zoo.verify.reference.open_clip_model import load_open_clip
from zoo.verify.request import ModelRequest


def load(request: ModelRequest) -> Reference:
    """Loads what the request names.

    Raises:
        NotFoundError: a file or a library is missing.
        ConfigError: the library refuses the configuration or the weights.
    """
    if request.library == "transformers":
        from zoo.verify.reference.hf_model import load_hf

        reference = load_hf(request)
    else:
        reference = load_open_clip(request)
    if request.dtype != "keep":
        round_parameters(reference.model, getattr(torch, request.dtype))
    return reference


@torch.no_grad()
def round_parameters(model: torch.nn.Module, dtype: torch.dtype) -> None:
    """Rounds every parameter to ``dtype``, to nearest even, and widens it to float32 again."""
    for parameter in model.parameters():
        parameter.copy_(parameter.to(dtype))


def environment(request: ModelRequest, reference: Reference) -> dict[str, Any]:
    """What the figures depend on, for the evidence."""
    library = request.library
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "open_clip": open_clip.__version__,
        **({} if library == "open_clip" else {library: import_module(library).__version__}),
        "numpy": numpy.__version__,
        "pillow": PIL.__version__,
        "threads": torch.get_num_threads(),
        "model_class": type(getattr(reference.model, "model", reference.model)).__name__,
        "torchvision_shim": torchvision_shimmed,
    }
