from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest

from zoo.errors import AccessError, DigestError, DiskError, FormatError, NotFoundError
from zoo.manifest import Top1Claim
from zoo.verify import evidence as ev

DIGEST = "ab" * 32
CLAIM = Top1Claim(value=66.56, dataset="imagenet1k", source="upstream", protocol="p")
SUBJECT = ev.Subject(id="tiny", tensors_digest=DIGEST, config_digest="ef" * 32)
BESIDE = {"claimed": "66.56", "source": "upstream", "protocol": "p", "difference": 0.01}
JUDGED = {"precision": "float32", "claims": [BESIDE]}
WHOLE = ev.MeasuredOn(name="imagenet1k", items=50_000, whole=True)


def rungs(
    outcomes: str, *, zero_shot_on: ev.MeasuredOn | None = WHOLE, figure: float = 1.0
) -> tuple[ev.Rung, ...]:
    """Six rungs from letters: p passed, f failed, n not run."""
    words: dict[str, Any] = {"p": "pass", "f": "fail", "n": "not run"}
    return tuple(
        ev.Rung(
            number=number,
            name=f"rung {number}",
            status=words[letter],
            reason=None if letter == "p" else "because",
            figures={"error": figure, **(JUDGED if number == 6 else {})},
            bounds={"error": 2.0},
            measured_on=zero_shot_on if number == 6 else None,
        )
        for number, letter in enumerate(outcomes, start=1)
    )


def sealed(outcomes: str = "pppppp", **options: Any) -> ev.Evidence:
    return ev.seal(
        subject=SUBJECT,
        environment={"numpy": "2.4", "threads": 2, "processor": "æ"},
        command=["zoo", "verify", "tiny"],
        rungs=rungs(outcomes, **options),
    )


def status(evidence: ev.Evidence | None, **other: str) -> str:
    subject = msgspec.structs.replace(SUBJECT, **other)
    return ev.status(evidence, subject=subject, top1_claim=CLAIM)


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ("nnnnnn", "claimed"),
        ("pnnnnn", "claimed"),
        ("ppnnnn", "claimed"),
        ("pppnnn", "converted"),
        ("pppfpp", "converted"),
        ("ppppnn", "converted"),
        ("pppppn", "parity"),
        ("pppppf", "parity"),
        ("pppppp", "verified"),
        ("fppppp", "claimed"),
        ("pnpppp", "claimed"),
    ],
)
def test_the_status_is_the_highest_unbroken_run(outcomes: str, expected: str) -> None:
    assert status(sealed(outcomes)) == expected


def test_no_evidence_counts_for_nothing() -> None:
    assert status(None) == "claimed"


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ({"tensors_digest": "cd" * 32}, "other tensors, those of tiny"),
        ({"config_digest": "cd" * 32}, "another configuration"),
        ({"id": "large"}, "about tiny, and this is large"),
    ],
)
def test_evidence_about_something_else_counts_for_nothing(other: dict[str, str], word: str) -> None:
    assert status(sealed(), **other) == "claimed"
    assert word in str(SUBJECT.unlike(msgspec.structs.replace(SUBJECT, **other)))
    assert SUBJECT.unlike(SUBJECT) is None


@pytest.mark.parametrize(
    "on",
    [
        None,
        ev.MeasuredOn(name="imagenet1k", items=10_000, whole=False),
        ev.MeasuredOn(name="imagenetv2", items=10_000, whole=True),
    ],
)
def test_verified_takes_the_whole_data_set_of_the_claim(on: ev.MeasuredOn | None) -> None:
    assert status(sealed(zero_shot_on=on)) == "parity"


def test_verified_takes_a_claim() -> None:
    assert ev.status(sealed(), subject=SUBJECT, top1_claim=None) == "parity"


@pytest.mark.parametrize(
    "change", [{"value": 66.6}, {"source": "another"}, {"protocol": "another"}, {"decimals": 3}]
)
def test_a_claim_that_changed_is_not_the_one_that_passed(change: dict[str, Any]) -> None:
    other = msgspec.structs.replace(CLAIM, **change)
    assert ev.status(sealed(), subject=SUBJECT, top1_claim=CLAIM) == "verified"
    assert ev.status(sealed(), subject=SUBJECT, top1_claim=other) == "parity"


@pytest.mark.parametrize(
    "figures",
    [
        {"precision": "bfloat16"},
        {"precision": None},
        {"claims": []},
        {"claims": 7},
        {"claims": [7]},
    ],
)
def test_what_was_computed_otherwise_or_held_against_nothing_is_not_verified(
    figures: dict[str, Any],
) -> None:
    six = rungs("pppppp")
    last = msgspec.structs.replace(six[5], figures={**six[5].figures, **figures})
    evidence = ev.seal(subject=SUBJECT, environment={}, command=[], rungs=(*six[:5], last))
    assert status(evidence) == "parity"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    ev.write(path, sealed())
    assert ev.read(path) == sealed()
    assert [entry.name for entry in tmp_path.iterdir()] == ["evidence.json"]


def test_the_digest_is_over_the_canonical_json_without_itself() -> None:
    document = json.loads(ev.encode(sealed()))
    digest = document.pop("digest")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(text.encode()).hexdigest() == digest


def test_every_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    good = ev.encode(sealed())
    for position in range(len(good)):
        bad = bytearray(good)
        bad[position] ^= 1 << (position % 8)
        path.write_bytes(bad)
        with pytest.raises((DigestError, FormatError)):
            ev.read(path)


@pytest.mark.parametrize("tail", [b"\n", b" ", b"{}"])
def test_an_addition_is_found(tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "evidence.json"
    path.write_bytes(ev.encode(sealed()) + tail)
    with pytest.raises((DigestError, FormatError)):
        ev.read(path)


def test_a_better_outcome_written_by_hand_is_found(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    forged = msgspec.structs.replace(sealed("pppnnn"), rungs=rungs("pppppp"))
    ev.write(path, forged)
    with pytest.raises(DigestError):
        ev.read(path)


def test_a_missing_file_and_a_foreign_one_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    with pytest.raises(NotFoundError):
        ev.read(path)
    for foreign in (b"", b"[]", b'{"schema_version": 2}', b"\xff\xfe"):
        path.write_bytes(foreign)
        with pytest.raises(FormatError, match=r"evidence\.json"):
            ev.read(path)


def test_a_figure_that_is_not_finite_survives_as_text(tmp_path: Path) -> None:
    path = tmp_path / "evidence.json"
    ev.write(path, sealed("pppfnn", figure=math.inf))
    assert ev.read(path).rungs[3].figures == {"error": "inf"}


def test_a_failed_write_leaves_the_old_evidence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "evidence.json"
    ev.write(path, sealed("pppnnn"))

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises((DiskError, AccessError)):
        ev.write(path, sealed("pppppp"))
    assert ev.read(path) == sealed("pppnnn")
    assert [entry.name for entry in tmp_path.iterdir()] == ["evidence.json"]


@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (0, 1, 2, 3, 4, 4), (1, 0, 2, 3, 4, 5)])
def test_evidence_lists_all_six_rungs_once_and_in_order(order: tuple[int, ...]) -> None:
    six = rungs("pppppp")
    with pytest.raises(ValueError, match="1 to 6"):
        ev.seal(
            subject=SUBJECT,
            environment={},
            command=[],
            rungs=tuple(six[index] for index in order),
        )


def test_a_rung_that_did_not_pass_says_why() -> None:
    with pytest.raises(ValueError, match="without a reason"):
        msgspec.structs.replace(rungs("pppppn")[5], reason=None)
