"""Which parameters learn how fast, and which decay."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from paddle import Tensor

from train.flags import Arguments
from zoo.models.clip import CLIP

_BLOCK = re.compile(r"(?:visual\.)?transformer\.resblocks\.(\d+)\.")
_BELOW = ("conv1.", "class_embedding", "positional_embedding", "ln_pre.", "token_embedding.")
LOGIT_SCALE = "logit_scale"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Parameters by name; ``factor`` times the schedule's rate is theirs."""

    parameters: dict[str, Tensor]
    factor: float
    decay: float


def parameter_groups(model: CLIP, arguments: Arguments) -> list[Group]:
    """Groups of all parameters that are not locked.

    Vectors do not decay: biases, norms, the class embedding, the logit scale; so it is in
    open_clip. The schedule's rate is ``--learning_rate``, and a tower's own is a factor to it.
    """
    found: dict[tuple[float, float], dict[str, Tensor]] = defaultdict(dict)
    for name, parameter in model.named_parameters():
        if not parameter.stop_gradient:
            rate, decay, layer_decay = _tower(name, arguments)
            factor = rate / arguments.learning_rate * layer_decay ** _depth(name, model)
            found[factor, decay if parameter.ndim > 1 else 0.0][name] = parameter
    return [
        Group(parameters=parameters, factor=factor, decay=decay)
        for (factor, decay), parameters in found.items()
    ]


def _tower(name: str, arguments: Arguments) -> tuple[float, float, float]:
    """Rate, decay and layer decay of the tower that a parameter belongs to."""
    whole = (arguments.learning_rate, arguments.weight_decay, arguments.layer_decay)
    if name == LOGIT_SCALE:
        return (arguments.learning_rate, 0.0, 1.0)
    own = (
        (arguments.visual_lr, arguments.visual_wd, arguments.visual_ld)
        if name.startswith("visual.")
        else (arguments.text_lr, arguments.text_wd, arguments.text_ld)
    )
    rate, decay, layer_decay = (w if o is None else o for o, w in zip(own, whole, strict=True))
    return rate, decay, layer_decay


def _depth(name: str, model: CLIP) -> int:
    """How many layers lie above: 0 for a tower's head, its number of blocks + 1 for embeddings."""
    if name == LOGIT_SCALE:
        return 0
    tower = model.spec.vision if name.startswith("visual.") else model.spec.text
    assert tower is not None
    if block := _BLOCK.match(name):
        return tower.layers - int(block[1])
    return tower.layers + 1 if name.removeprefix("visual.").startswith(_BELOW) else 0
