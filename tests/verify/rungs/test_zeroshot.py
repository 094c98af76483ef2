"""Rung 6's verdict."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from zoo.imagesets.imageset import ImageSet, Picture
from zoo.imagesets.tree import Stored
from zoo.manifest.entry import PROTOCOL, Top1Claim
from zoo.verify.outcome import Outcome
from zoo.verify.rungs.zeroshot import check_zero_shot
from zoo.verify.zeroshot import Agreement, Row

COUNT = 2000


def images(**changes: object) -> ImageSet:
    from pathlib import Path

    stored = Stored(path=Path("x"), offset=0, size=1)
    pictures = tuple(Picture(name=f"{i}", label=i % 2, stored=stored) for i in range(COUNT))
    whole = ImageSet(
        name="imagenet1k",
        layout="class folders",
        classes=("a", "b"),
        templates=("{}",),
        pictures=pictures,
        expected=COUNT,
        whole=True,
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


def rows(right: int) -> list[Row]:
    """The first ``right`` predictions are right."""
    return [
        Row(
            place=i,
            image=f"{i}",
            sha256=f"{i}",
            label=i % 2,
            top=(i % 2 if i < right else 1 - i % 2,),
            margin=1.0,
        )
        for i in range(COUNT)
    ]


def claim(value: float, decimals: int | None = None, **changes: str) -> Top1Claim:
    fields = {"dataset": "imagenet1k", "source": "somebody", "protocol": PROTOCOL, **changes}
    return Top1Claim(value=value, decimals=decimals, **fields)


def check(
    found: list[Row],
    judged: Top1Claim | None = None,
    *,
    of: ImageSet | None = None,
    agreement: Agreement | None = None,
    allow: bool = False,
) -> Outcome:
    return check_zero_shot(
        found,
        of or images(),
        claims=() if judged is None else (judged, claim(99.0, protocol="unstated")),
        judged=judged,
        agreement=agreement,
        allow_unreadable=allow,
    )


@pytest.mark.parametrize(
    ("value", "decimals", "status"),
    [
        (66.65, None, "fail"),  # 66.45 measured: 0.2 apart, 0.155 allowed
        (66.6, None, "pass"),  # 0.15 apart, 0.2 allowed
        (66.6, 2, "pass"),
        (66.61, None, "fail"),
        (66.7, None, "fail"),
        (66.29, None, "fail"),
        (66.3, 1, "pass"),
    ],
)
def test_the_whole_set_is_within_0_15_points_and_the_claims_rounding(
    value: float, decimals: int | None, status: str
) -> None:
    outcome = check(rows(1329), claim(value, decimals))
    assert outcome.figures["top-1"] == pytest.approx(66.45)
    assert outcome.status == status, outcome.reason
    assert outcome.measured_on is not None and outcome.measured_on.whole


def test_claims_stand_beside_the_measurement() -> None:
    outcome = check(rows(1329), claim(66.5))
    assert [c["difference"] for c in outcome.figures["claims"]] == pytest.approx([-0.05, -32.55])
    failed = check(rows(1000), claim(66.5))
    assert "somebody claims 66.5 %: -16.500 points" in str(failed.reason)


def test_a_subset_is_judged_by_its_interval() -> None:
    part = images(whole=False, expected=50_000)
    near, far = check(rows(1329), claim(68.5), of=part), check(rows(1329), claim(70.0), of=part)
    assert near.status == "pass" and far.status == "fail"  # 99 %: 63.7 to 69.1
    assert near.measured_on is not None and not near.measured_on.whole


def test_a_part_of_the_classes_is_no_sample() -> None:
    part = images(whole=False, classes=("a", "b", "c"))
    outcome = check(rows(1329), claim(99.0), of=part)
    assert outcome.status == "pass" and "a measurement" in str(outcome.reason)


def test_another_data_set_is_not_held_against_the_claim() -> None:
    outcome = check(rows(0), claim(66.5), of=images(name="own data: x", whole=False))
    assert outcome.status == "pass" and outcome.figures["claims"] == []


def test_an_unreadable_image_fails_unless_allowed() -> None:
    found = rows(1329)
    found[7] = Row(place=7, image="7", sha256=None, label=1, problem="TRUNCATED: cut off")
    outcome = check(found, claim(66.5))
    assert outcome.status == "fail" and "7: TRUNCATED: cut off" in str(outcome.reason)
    outcome = check(found, claim(66.5), allow=True)
    assert outcome.status == "pass" and outcome.figures["unreadable images"]
    assert outcome.measured_on is not None
    assert outcome.measured_on.items == COUNT - 1 and not outcome.measured_on.whole


def test_a_flip_that_counts_fails() -> None:
    agreement = Agreement(top1=66.5, pictures=COUNT, flips=("3", "4"), counted=("4",), band=1e-3)
    outcome = check(rows(1329), claim(66.5), agreement=agreement)
    assert outcome.status == "fail" and "1 images flip against open_clip: 4" in str(outcome.reason)
    tolerated = replace(agreement, counted=())
    outcome = check(rows(1329), agreement=tolerated)
    assert outcome.status == "pass" and outcome.reason is None
    assert outcome.figures["same prediction"] == COUNT - 2


def test_a_whole_set_of_copies_is_not_that_set() -> None:
    """The right number of pictures, of which most are one: a figure of it is not ImageNet's."""
    found = rows(1329)
    few = [*found[:-20], *(msgspec.structs.replace(row, sha256="0") for row in found[-20:])]
    outcome = check(few, claim(66.5))
    assert outcome.status == "pass" and outcome.figures["duplicates"] == 20
    assert outcome.measured_on is not None and outcome.measured_on.whole
    many = [*found[:-30], *(msgspec.structs.replace(row, sha256="0") for row in found[-30:])]
    outcome = check(many, claim(66.5))
    assert outcome.status == "fail" and "30 of the 2,000 images are copies" in str(outcome.reason)
    assert outcome.measured_on is not None and not outcome.measured_on.whole
    part = images(whole=False)
    assert check(many, claim(66.5), of=part).status == "pass", "a sample may have them"
