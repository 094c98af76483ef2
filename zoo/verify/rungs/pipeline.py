"""Rung 5: texts become the same token ids, pictures the same pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import CLIPSpec
from zoo.verify.compare import Arrays, largest_difference
from zoo.verify.outcome import Outcome, failed, not_run, passed
from zoo.verify.probe import Probe, on_probe

EQUAL = ("images unequal", "largest pixel difference", "texts unequal")  # all are to be 0


def check_pipeline(spec: CLIPSpec, probe: Probe, reference: Arrays) -> Outcome:
    """Compares our inputs with the reference's on the same pictures and texts: equal, not close.

    One tower alone takes one kind of input, and is judged by that.
    """
    if spec.vision is not None and spec.preprocess is None:
        return not_run("nothing says how pictures are prepared for this model")
    figures: dict[str, Any] = {}
    differ: list[str] = []
    if spec.preprocess is not None:
        preprocess = Preprocess(spec.preprocess)
        pixels = np.stack([preprocess(open_image(path)) for path in probe.images])
        theirs = reference.get("input.pixels")
        unequal = _unequal([path.name for path in probe.images], pixels, theirs)
        figures |= {
            "images": len(pixels),
            "images unequal": len(unequal),
            "largest pixel difference": largest_difference(pixels, theirs),
        }
        differ += unequal
    if spec.text is not None:
        tokens = Tokenizer(spec.text.context_length)(probe.texts)
        unequal = _unequal(list(map(repr, probe.texts)), tokens, reference.get("input.tokens"))
        figures |= {"texts": len(tokens), "texts unequal": len(unequal)}
        differ += unequal
    bounds = {name: 0 for name in EQUAL if name in figures}
    on = on_probe(images=figures.get("images", 0), texts=figures.get("texts", 0))
    if differ:
        reason = f"{len(differ)} images and texts differ; the first is {differ[0]}"
        return failed(reason, figures, bounds=bounds, measured_on=on)
    return passed(figures, bounds=bounds, measured_on=on)


def _unequal(names: Sequence[str], ours: NDArray[Any], theirs: NDArray[Any]) -> list[str]:
    return [
        name for name, a, b in zip(names, ours, theirs, strict=True) if not np.array_equal(a, b)
    ]
