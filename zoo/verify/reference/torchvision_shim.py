"""Lets torchvision be imported beside a torch it was not compiled for.

torchvision's wheels are built for CUDA. Beside a CPU torch their operators do not load, and the
import fails where torchvision registers the output shapes of two of them. CLIP uses neither:
a declaration without an implementation is enough.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
_declarations: list[object] = []  # operators exist as long as the Library that declared them


def import_torchvision() -> bool:
    """Imports torchvision, declaring its missing operators if that is why the import fails.

    Returns:
        Whether the declarations were needed.
    """
    try:
        import_module("torchvision")
    except RuntimeError as error:
        if "operator torchvision::nms does not exist" not in str(error):
            raise
        _declare("nms", "qnms")
        import_module("torchvision")
    return bool(_declarations)


def _declare(*operators: str) -> None:
    library: Any = import_module("torch.library").Library("torchvision", "DEF")
    for operator in operators:
        library.define(operator + _SCHEMA)
    _declarations.append(library)
