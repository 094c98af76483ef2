"""torch and open_clip, imported in the one order that works. The package gets them here.

Raises:
    NotFoundError: one of them is not installed.
"""

from __future__ import annotations

from zoo.errors import missing_library
from zoo.verify.reference.torchvision_shim import import_torchvision

__all__ = ["open_clip", "torch", "torchvision_shimmed"]

try:
    import torch
    import torch.utils.serialization  # torch imports it only when asked

    torchvision_shimmed = import_torchvision()  # before open_clip, which imports it too
    import open_clip
except ModuleNotFoundError as error:
    raise missing_library(str(error.name), "reference", "comparing with open_clip") from error
