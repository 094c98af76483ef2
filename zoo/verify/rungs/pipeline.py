"""Rung 5: texts become the same token ids, pictures the same pixels."""

from __future__ import annotations

import numpy as np

from zoo.inputs.images import open_image
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import CLIPSpec
from zoo.verify.compare import Arrays, largest_difference
from zoo.verify.evidence import MeasuredOn
from zoo.verify.outcome import Outcome, failed, not_run, passed
from zoo.verify.probe import Probe


def check_pipeline(spec: CLIPSpec, probe: Probe, reference: Arrays) -> Outcome:
    """Compares our inputs with the reference's on the same pictures and texts: equal, not close."""
    if spec.preprocess is None or spec.text is None:
        return not_run("the model has one tower, and its pipeline one half")
    preprocess, tokenizer = Preprocess(spec.preprocess), Tokenizer(spec.text.context_length)
    pixels = np.stack([preprocess(open_image(path)) for path in probe.images])
    tokens = tokenizer(probe.texts)
    theirs = reference.get("input.pixels")
    unequal = [
        path.name
        for path, a, b in zip(probe.images, pixels, theirs, strict=True)
        if not np.array_equal(a, b)
    ]
    mistaken = [
        text
        for text, a, b in zip(probe.texts, tokens, reference.get("input.tokens"), strict=True)
        if not np.array_equal(a, b)
    ]
    figures = {
        "images": len(probe.images),
        "images unequal": len(unequal),
        "largest pixel difference": largest_difference(pixels, theirs),
        "texts": len(probe.texts),
        "texts unequal": len(mistaken),
    }
    bounds = {"images unequal": 0, "texts unequal": 0, "largest pixel difference": 0.0}
    on = MeasuredOn(
        name=f"probe: {len(probe.images)} images, {len(probe.texts)} texts",
        items=len(probe.images) + len(probe.texts),
        whole=True,
    )
    if unequal or mistaken:
        first = [*unequal, *map(repr, mistaken)][0]
        reason = f"{len(unequal)} images and {len(mistaken)} texts differ; the first is {first}"
        return failed(reason, figures, bounds=bounds, measured_on=on)
    return passed(figures, bounds=bounds, measured_on=on)
