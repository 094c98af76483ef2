"""A result as CLIP_benchmark's ``eval`` writes it, for tables that are made from such files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from zoo.errors import NotRunError
from zoo.verify.run import Result


def clip_benchmark(results: Sequence[Result]) -> str:
    """One JSON object per line and checkpoint; rates are fractions, as there.

    Raises:
        NotRunError: rung 6 of one did not run, so that there is nothing to write.
    """
    return "\n".join(json.dumps(_document(result)) for result in results)


def _document(result: Result) -> dict[str, Any]:
    rung = result.evidence.rungs[-1]
    if rung.measured_on is None:
        raise NotRunError(
            f"rung {rung.name} did not run: {rung.reason}", where=result.evidence.subject.id
        )
    figures = rung.figures
    return {
        "dataset": rung.measured_on.name,
        "model": result.manifest.architecture if result.manifest else result.evidence.subject.id,
        "pretrained": str(result.folder),
        "task": "zeroshot_classification",
        "metrics": {
            "acc1": figures["top-1"] / 100,
            "acc5": figures["top-5"] / 100,
            "mean_per_class_recall": figures["mean per class"] / 100,
        },
        "language": "en",
    }
