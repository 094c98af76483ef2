"""``python -m zoo.verify.predict REQUEST.json``: what Paddle predicts of every picture of a set.

The request is ``zoo.verify.request.EvaluateRequest``; the answer is the journal's
``predictions.jsonl`` (zoo.verify.journal).

stdout and stderr are as in ``zoo.verify.process``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from zoo import cache
from zoo.convert import provenance
from zoo.deploy.cost import Classify, measure_cost
from zoo.deploy.encoder import Encoder, open_encoder
from zoo.errors import ConfigError
from zoo.imagesets.ahead import prepared
from zoo.imagesets.imageset import ImageSet, Picture
from zoo.imagesets.recognise import open_imageset
from zoo.inputs.tokenizer import Tokenizer
from zoo.runtime import import_paddle, prepare
from zoo.spec import native
from zoo.talk import Within
from zoo.verify.environment import describe
from zoo.verify.journal import Journal, Pictured
from zoo.verify.process import answer, say, tell
from zoo.verify.request import EncodeRequest, EvaluateRequest
from zoo.verify.stored import stored
from zoo.verify.zeroshot import SCALE, Row, best_classes

Report = Callable[[int, int, str], None]  # how much is done, of how much, and what to say of it
Say = Callable[[str], object]
Gather = Callable[[list[Row]], list[Row]]  # one process's rows -> everybody's


def main(arguments: list[str]) -> int:
    def work(request: EvaluateRequest) -> dict[str, Any]:
        predict(request, open_imageset(request.data), report, prompts=prompts, say=say)
        return environment()

    return answer(arguments, EvaluateRequest, work)


def report(done: int, of: int, note: str) -> None:
    tell("predict", done, of, note)


def prompts(done: int, of: int, note: str) -> None:
    tell("prompts", done, of, note)


def environment() -> dict[str, Any]:
    """What the answer depends on beside the request, as subject.py tells it."""
    paddle = import_paddle(parity=True)
    return {
        **describe(),
        "paddle": {"version": paddle.__version__, "commit": paddle.version.commit},
        "runtime": asdict(prepare()),
    }


def predict(
    request: EvaluateRequest,
    images: ImageSet,
    report: Report,
    *,
    prompts: Report | None = None,
    say: Say = lambda text: None,
    rank: int = 0,
    world: int = 1,
    gather: Gather = lambda rows: rows,
) -> list[Row]:
    """Classifies every picture; goes on where an earlier run of the same was killed.

    Args:
        request: what is asked.
        images: ``request.data``, opened.
        report: progress, in pictures.
        prompts: progress of the classifier, in prompts; None: in notes on that of the pictures.
        say: hears what there is to say beside it.
        rank: which of ``world`` processes this is; each takes every world-th batch.
        world: how many there are.
        gather: collects the rows of all of them.

    Returns:
        Every picture's row, in order; in every process.

    Raises:
        ConfigError: the model lacks a tower, or nothing says how its pictures are prepared.
        UsageError: the device does not compute in the precision.
        DatasetError: the data set has changed since the killed run.
        ZooError: what loading raises; Paddle not installed.
    """
    started = time.monotonic()
    folder, total = Path(request.folder), len(images.pictures)
    spec = native.read(folder / native.CONFIG_NAME)
    if spec.vision is None or spec.text is None or spec.preprocess is None:
        raise ConfigError("zero-shot needs both towers and the preprocessing", where=folder)
    talk = Within(say, lambda note: report(0, total, note))
    encoder = open_encoder(folder, request.precision, talk)
    journal = Journal(Path(request.out), images, request.batch_size, Row)
    gather([])  # nobody writes before everybody has read
    tell_prompts = prompts or (lambda done, of, note: report(0, total, note))
    classifier = build_classifier(
        encoder, request, images, lambda d, of: tell_prompts(d, of, f"prompt {d:,} of {of:,}")
    )
    todo = {number: b for number, b in journal.batches().items() if number % world == rank}
    progress = _Progress(report, journal.kept, total)
    made: list[Row] = []
    for rows in _classified(encoder, classifier, todo, request):
        journal.add(rows, rank)
        made += rows
        progress.add(rows)
    rows = sorted([*journal.kept, *gather(made)], key=lambda row: row.place)
    if rank == 0:
        seconds = time.monotonic() - started
        timing = {"seconds": seconds, "images": len(rows) - len(journal.kept)}
        classify = partial(_best_class, classifier)
        journal.finish(rows, {**timing, **computed_by(encoder, request, images, classify)})
    return rows


def computed_by(
    encoder: Encoder,
    request: EvaluateRequest | EncodeRequest,
    images: Pictured,
    classify: Classify | None = None,
) -> dict[str, Any]:
    """What the parent process has to know of how the features came about."""
    programs = encoder.programs
    cost = None
    if request.precision == "bfloat16":
        exact = open_encoder(Path(request.folder))
        cost = measure_cost(encoder, exact, images.pictures, classify)
    return {
        "path": encoder.path,
        "programs": None if programs is None else str(programs),
        "cost": cost,
    }


def _best_class(
    classifier: NDArray[np.float32], features: NDArray[np.float32]
) -> NDArray[np.int64]:
    return best_classes(SCALE * (features @ classifier))[0][:, 0]


def _classified(
    encoder: Encoder,
    classifier: NDArray[np.float32],
    batches: dict[int, tuple[Picture, ...]],
    request: EvaluateRequest,
) -> Iterator[list[Row]]:
    """The rows of each batch."""
    assert encoder.spec.preprocess is not None
    # A name that occurs twice is scored once, so that its classes are equal and not nearly so.
    columns, class_to_column = np.unique(classifier, axis=1, return_inverse=True)
    ready = prepared(batches.values(), encoder.spec.preprocess, workers=request.workers)
    for (number, batch), inputs in zip(batches.items(), ready, strict=True):
        order: NDArray[np.int64] = np.empty((0, 0), np.int64)
        lead: NDArray[np.float32] = np.empty(0, np.float32)
        if len(inputs.pixels):
            scores = SCALE * (encoder.encode_image(inputs.pixels) @ columns)
            order, lead = best_classes(scores[:, class_to_column.reshape(-1)])
        yield _rows(number * request.batch_size, batch, inputs, order, lead)


def _rows(
    start: int,
    batch: Sequence[Picture],
    inputs: Any,
    order: NDArray[np.int64],
    lead: NDArray[np.float32],
) -> list[Row]:
    answers = iter(zip(order.tolist(), lead.tolist(), strict=True))
    rows = []
    for place, picture in enumerate(batch):
        problem = inputs.problems[place]
        top, margin = ((), None) if problem else next(answers)
        rows.append(
            Row(
                place=start + place,
                image=picture.name,
                sha256=inputs.digests[place],
                label=picture.label,
                top=tuple(top),
                margin=margin,
                problem=problem,
            )
        )
    return rows


def build_classifier(
    encoder: Encoder,
    request: EvaluateRequest,
    images: ImageSet,
    progress: Callable[[int, int], None],
) -> NDArray[np.float32]:
    """The classifier, float32 [E, classes], from the cache where the very same was built before."""
    from zoo.models import zeroshot

    assert encoder.spec.text is not None
    made_of = {
        "tensors": provenance.read(Path(request.folder)).tensors_digest,
        "prompts": images.prompts_digest,
        "tokenizer": Tokenizer().digest,
        "text": msgspec.to_builtins(encoder.spec.text),  # the tensors don't tell the activation
        "path": encoder.path["text"],
    }

    def make() -> NDArray[np.float32]:
        return zeroshot.build_classifier(
            encoder.encode_text, encoder.spec, images.classes, images.templates, progress=progress
        )

    return stored(cache.CLASSIFIERS, made_of, make, lambda _: progress(0, 1))


class _Progress:
    """The running top-1, pictures per second, and the time left."""

    def __init__(self, report: Report, kept: Sequence[Row], total: int) -> None:
        self._report, self._total = report, total
        self._done, self._fresh, self._right, self._seen = len(kept), 0, 0, 0
        self._started = time.monotonic()
        self._count(kept)

    def add(self, rows: Sequence[Row]) -> None:
        self._done += len(rows)
        self._fresh += len(rows)
        self._count(rows)
        rate = self._fresh / max(time.monotonic() - self._started, 1e-9)
        left = (self._total - self._done) / rate
        top1 = 100 * self._right / max(self._seen, 1)
        note = f"top-1 {top1:.2f} %, {rate:.0f} images/s, {_clock(left)} left"
        self._report(self._done, self._total, note)

    def _count(self, rows: Sequence[Row]) -> None:
        self._seen += sum(row.problem is None for row in rows)
        self._right += sum(row.top[:1] == (row.label,) for row in rows)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
