"""Rung 6 on pictures with captions: a measurement, since no claim of the zoo is about retrieval."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from zoo.files import canonical_json
from zoo.imagesets.captions import CaptionSet
from zoo.verify.evidence import MeasuredOn
from zoo.verify.outcome import Outcome, failed, passed


def check_retrieval(
    pairs: CaptionSet,
    recalls: Mapping[str, float],
    digests: Sequence[str | None],
    problems: Sequence[str | None],
) -> Outcome:
    """Reports recalls; a picture that can't be read fails the rung, since all are queries.

    Args:
        pairs: what was measured on.
        recalls: in percent, empty where a picture could not be read.
        digests: sha256 of each picture's bytes.
        problems: what each picture's is, if it has one.
    """
    content = canonical_json([list(digests), pairs.captions, pairs.owner])
    figures = {
        **recalls,
        "images": len(pairs.pictures) - sum(problem is not None for problem in problems),
        "captions": len(pairs.captions),
        "precision": "float32",
        "layout": pairs.layout,
        "digests": {"data": hashlib.sha256(content).hexdigest()},
    }
    on = MeasuredOn(name=pairs.name, items=len(pairs.pictures), whole=False)
    bad = [
        (p.name, problem) for p, problem in zip(pairs.pictures, problems, strict=True) if problem
    ]
    if bad:
        name, problem = bad[0]
        reason = f"{len(bad):,} images can't be read, the first {name}: {problem}"
        return failed(reason, figures, measured_on=on)
    note = "a measurement: nothing is claimed of retrieval"
    return passed(figures, measured_on=on, reason=note)
