"""Rung 6 on pictures with captions: a measurement, since no claim of the zoo is about retrieval."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

from zoo.files import canonical_json
from zoo.imagesets.captions import CaptionSet
from zoo.verify.evidence import MeasuredOn
from zoo.verify.journal import Kept
from zoo.verify.outcome import Outcome, failed, passed


def check_retrieval(
    pairs: CaptionSet,
    recalls: Mapping[str, float],
    rows: Sequence[Kept],
    precision: str = "float32",
) -> Outcome:
    """Reports recalls; a picture that can't be read fails the rung, since all are queries.

    Args:
        pairs: what was measured on.
        recalls: in percent, empty where a picture could not be read.
        rows: what became of each picture, in order.
        precision: what the image tower computed in.
    """
    bad = [row for row in rows if row.problem]
    content = canonical_json([[row.sha256 for row in rows], pairs.captions, pairs.owner])
    figures = {
        **recalls,
        "images": len(pairs.pictures) - len(bad),
        "captions": len(pairs.captions),
        "precision": precision,
        "layout": pairs.layout,
        "digests": {"data": hashlib.sha256(content).hexdigest()},
    }
    on = MeasuredOn(name=pairs.name, items=len(pairs.pictures), whole=False)
    if bad:
        first = f"{bad[0].image}: {bad[0].problem}"
        reason = f"{len(bad):,} images can't be read, the first {first}"
        return failed(reason, figures, measured_on=on)
    note = "a measurement: nothing is claimed of retrieval"
    return passed(figures, measured_on=on, reason=note)
