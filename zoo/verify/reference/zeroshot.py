"""Zero-shot classification as open_clip does it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from zoo.imagesets.imageset import PLACE
from zoo.imagesets.recognise import open_imageset
from zoo.verify.reference.interface import Reference
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.reference.model import environment, load
from zoo.verify.request import PredictRequest

BATCH = 32  # pictures at a time


def write_predictions(request: PredictRequest, progress: Callable[[int, int], None]) -> None:
    """Answers the request; ``progress`` hears of each picture (done, of)."""
    out = Path(request.out)
    out.mkdir(parents=True, exist_ok=True)
    reference = load(request)
    (out / "environment.json").write_text(
        json.dumps(environment(request, reference), indent=1) + "\n"
    )

    pictures = pictures_of(request)

    def pixels() -> Iterator[torch.Tensor]:
        for done, (name, data) in enumerate(pictures, start=1):
            yield reference.pixels(name, data())
            progress(done, len(pictures))

    answers = classify(reference, pixels(), classes=request.classes, templates=request.templates)
    for name, array in answers.items():
        np.save(out / f"{name}.npy", array)


def pictures_of(request: PredictRequest) -> list[tuple[str, Callable[[], bytes | None]]]:
    """Each picture's name, and what reads its bytes; None of a file, which is read by its name."""
    if request.data is None:
        return [(path, lambda: None) for path in request.images]
    out = set(request.leave_out)
    pictures = open_imageset(request.data).pictures
    return [(p.name, p.stored.read) for place, p in enumerate(pictures) if place not in out]


@torch.no_grad()
def classify(
    reference: Reference,
    pixels: Iterable[torch.Tensor],
    *,
    classes: Sequence[str],
    templates: Sequence[str],
) -> dict[str, np.ndarray]:
    """Scores each picture, float32 [3, height, width], against each class.

    Returns:
        ``classifier`` float32 [embed, classes], ``scores`` float32 [n, classes] and
        ``predictions`` int64 [n], as zoo.verify.request.PredictRequest describes them.
    """
    model = reference.model
    # As functions: open_clip would format a text, and a template is somebody's data.
    fill = [lambda name, template=template: template.replace(PLACE, name) for template in templates]
    classifier = open_clip.build_zero_shot_classifier(model, reference.tokenizer, classes, fill)
    remaining = iter(pixels)
    batches = iter(lambda: list(islice(remaining, BATCH)), [])
    scores = torch.cat(
        [
            100 * model.encode_image(torch.stack(batch), normalize=True) @ classifier
            for batch in batches
        ]
    ).numpy()
    return {
        "classifier": classifier.numpy(),
        "scores": scores,
        "predictions": scores.argmax(axis=1),  # numpy takes the first of equals; torch need not
    }
