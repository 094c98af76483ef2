"""Rung 6: top-1 agrees with the claim, and image by image where the reference's are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from zoo.imagesets.imageset import ImageSet
from zoo.manifest.entry import Top1Claim
from zoo.verify.evidence import MeasuredOn
from zoo.verify.outcome import Outcome, failed, passed
from zoo.verify.zeroshot import (
    Agreement,
    Row,
    Summary,
    data_digest,
    predictions_digest,
    summarize,
)

POINTS = 0.15  # what a figure of a whole set may differ by: ties are 0.1, and decoders differ
COPIES = 0.01  # of a whole set: what has more copies was made up to have the right number
SHOWN = 3  # names in a reason


def check_zero_shot(
    rows: Sequence[Row],
    images: ImageSet,
    *,
    claims: Sequence[Top1Claim],
    judged: Top1Claim | None,
    agreement: Agreement | None,
    allow_unreadable: bool,
    precision: str = "float32",
) -> Outcome:
    """Judges what was predicted.

    Args:
        rows: of every picture, in order.
        images: what they were predicted of.
        claims: what is claimed of the model's top-1.
        judged: the claim among them that was measured as this was.
        agreement: with the reference, where its predictions are at hand.
        allow_unreadable: an unreadable picture is counted, and does not fail the rung.
        precision: what the towers computed in.
    """
    summary = summarize(rows)
    copies = images.whole and summary.duplicates > COPIES * images.expected
    whole = images.whole and not summary.unreadable and not copies
    on = MeasuredOn(name=images.name, items=summary.seen, whole=whole)
    figures = _figures(rows, images, summary, agreement, precision)
    bounds: dict[str, Any] = {"images": images.expected}
    problems: list[str] = []
    if summary.unreadable and not allow_unreadable:
        first = summary.unreadable[0]
        problems.append(
            f"{len(summary.unreadable):,} images can't be read, the first {first.image}: "
            f"{first.problem} (--allow-unreadable counts and leaves them out)"
        )
    if copies:
        problems.append(
            f"{summary.duplicates:,} of the {images.expected:,} images are copies of others: this "
            f"is not {images.name}, whatever the files are called"
        )
    if agreement is not None:
        bounds["flips that count"] = 0
        if agreement.counted:
            problems.append(
                f"{len(agreement.counted):,} images flip against open_clip: "
                f"{', '.join(agreement.counted[:SHOWN])}"
            )
    on_claims = [c for c in claims if c.dataset == images.name]
    figures["claims"] = [_beside(claim, summary.top1) for claim in on_claims]
    held = False
    if judged is not None and judged in on_claims and _is_sample(images, rows):
        low, high = _range(judged, summary, whole)
        bounds["top-1"] = [low, high]
        held = True
        if not low <= summary.top1 <= high:
            problems.append(
                f"top-1 is {summary.top1:.3f} %, and {judged.source} claims {judged} %: "
                f"{summary.top1 - judged.value:+.3f} points"
            )
    if problems:
        return failed("; ".join(problems), figures, bounds=bounds, measured_on=on)
    note = None
    if not held and agreement is None:
        note = "a measurement: nothing is claimed of this data, and no reference was asked"
    return passed(figures, bounds=bounds, measured_on=on, reason=note)


def _range(claim: Top1Claim, summary: Summary, whole: bool) -> tuple[float, float]:
    """What top-1 may be: near the claim, or, of a sample, such that chance explains the rest."""
    slack = claim.rounding + 1e-9  # decimal fractions are not exact in binary
    if whole:
        return claim.value - POINTS - slack, claim.value + POINTS + slack
    low, high = summary.interval
    return claim.value - slack - (high - summary.top1), claim.value + slack + summary.top1 - low


def _is_sample(images: ImageSet, rows: Sequence[Row]) -> bool:
    """Whether every class is there: a part of the classes is no sample of them all."""
    return len({row.label for row in rows if row.problem is None}) == len(images.classes)


def _beside(claim: Top1Claim, top1: float) -> dict[str, Any]:
    return {
        "claimed": str(claim),
        "source": claim.source,
        "protocol": claim.protocol,
        "difference": round(top1 - claim.value, 6),
    }


def _figures(
    rows: Sequence[Row],
    images: ImageSet,
    summary: Summary,
    agreement: Agreement | None,
    precision: str,
) -> dict[str, Any]:
    figures: dict[str, Any] = {
        "top-1": summary.top1,
        "top-5": summary.top5,
        "mean per class": summary.mean_per_class,
        "images": summary.seen,
        "unreadable": len(summary.unreadable),
        "tied": len(summary.tied),
        "duplicates": summary.duplicates,
        "precision": precision,
        "99 % interval": list(summary.interval),
        "layout": images.layout,
        "digests": {
            "data": data_digest(rows),
            "prompts": images.prompts_digest,
            "predictions": predictions_digest(rows),
        },
        "unreadable images": [[row.image, row.problem] for row in summary.unreadable],
        "tied images": [row.image for row in summary.tied],
    }
    if agreement is not None:
        figures["top-1 of open_clip"] = agreement.top1
        figures["same prediction"] = agreement.pictures - len(agreement.flips)
        figures["flips that count"] = len(agreement.counted)
        figures["agreement"] = asdict(agreement)
    return figures
