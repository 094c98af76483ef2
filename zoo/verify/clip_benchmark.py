"""A result as CLIP_benchmark's ``eval`` writes it, for tables that are made from such files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
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
    task, metrics = _metrics(rung.figures)
    return {
        "dataset": rung.measured_on.name,
        "model": result.manifest.architecture if result.manifest else result.evidence.subject.id,
        "pretrained": str(result.folder),
        "task": task,
        "metrics": metrics,
        "language": "en",
    }


def _metrics(figures: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """CLIP_benchmark's names for the task and for each rate."""
    names = {"top-1": "acc1", "top-5": "acc5", "mean per class": "mean_per_class_recall"}
    if "top-1" in figures:
        return "zeroshot_classification", {n: figures[ours] / 100 for ours, n in names.items()}
    recalls = {name: value for name, value in figures.items() if " recall@" in name}
    return "zeroshot_retrieval", {
        name.replace(" ", "_retrieval_"): value / 100 for name, value in recalls.items()
    }
