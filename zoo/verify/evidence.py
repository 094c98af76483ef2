"""Evidence: what a run of the ladder measured, sealed with a digest of itself.

The status of a model is computed from it, here and nowhere else:

    claimed     no evidence, or evidence about something else, or no unbroken run up to rung 3
    converted   rungs 1 to 3 passed
    parity      rungs 1 to 5 passed
    verified    rungs 1 to 6 passed, rung 6 in float32, on the whole data set that the claim names
                and against this very claim
"""

from __future__ import annotations

import math
from itertools import takewhile
from pathlib import Path
from typing import Any, Literal

import msgspec

from zoo.convert.provenance import Provenance
from zoo.errors import DigestError, FormatError, NotFoundError
from zoo.files import pretty_json, read_record, self_digest, write_atomic
from zoo.manifest.entry import Top1Claim

EVIDENCE_NAME = "evidence.json"
RUNGS = 6

Status = Literal["claimed", "converted", "parity", "verified"]
STATUSES: tuple[Status, ...] = ("claimed", "converted", "parity", "verified")  # rising


class Subject(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What was tested: the weights, and the configuration, without which they compute nothing.

    ``tensors_digest`` is the one of the checkpoint's provenance, ``config_digest`` the sha256 of
    its ``config.json``.
    """

    id: str
    tensors_digest: str
    config_digest: str

    @classmethod
    def of(cls, record: Provenance) -> Subject:
        """The checkpoint that a provenance describes."""
        return cls(
            id=record.id,
            tensors_digest=record.tensors_digest,
            config_digest=record.config_digest,
        )

    def unlike(self, other: Subject) -> str | None:
        """In words, what it differs in from another; None where it is the same."""
        if self.tensors_digest != other.tensors_digest:
            return f"about other tensors, those of {self.id}"
        if self.config_digest != other.config_digest:
            return "about these tensors under another configuration"
        return None if self.id == other.id else f"about {self.id}, and this is {other.id}"


class MeasuredOn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The inputs of a rung.

    ``whole`` says that they are all there is under that name, e.g. the 50,000 images of
    ``imagenet1k``; the run knows how many there must be.
    """

    name: str
    items: int
    whole: bool


class Rung(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One rung's outcome. Figures and bounds are JSON values, under the same key where they meet.

    Raises:
        ValueError: the rung did not run or failed, and no reason is given.
    """

    number: int
    name: str
    status: Literal["pass", "fail", "not run"]
    reason: str | None
    figures: dict[str, Any]
    bounds: dict[str, Any]
    measured_on: MeasuredOn | None

    def __post_init__(self) -> None:
        if self.status != "pass" and not self.reason:
            raise ValueError(f"rung {self.number} is {self.status!r} without a reason")


class Evidence(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One run over the six rungs, in order; ``digest`` is filled in by ``seal``.

    Raises:
        ValueError: the rungs are not 1 to 6.
    """

    schema_version: Literal[1]
    subject: Subject
    environment: dict[str, Any]  # versions, processor, threads, flags
    command: list[str]
    rungs: tuple[Rung, ...]
    digest: str

    def __post_init__(self) -> None:
        if [rung.number for rung in self.rungs] != list(range(1, RUNGS + 1)):
            raise ValueError(f"evidence lists the rungs 1 to {RUNGS} in order, each once")

    @property
    def height(self) -> int:
        """The highest rung that was reached without a gap; 0 for none."""
        return sum(1 for _ in takewhile(lambda rung: rung.status == "pass", self.rungs))


def seal(
    *,
    subject: Subject,
    environment: dict[str, Any],
    command: list[str],
    rungs: tuple[Rung, ...],
) -> Evidence:
    """Evidence with its digest. A number that is not finite becomes text: JSON has none."""
    draft = Evidence(
        schema_version=1,
        subject=subject,
        environment=environment,
        command=command,
        rungs=rungs,
        digest="",
    )
    document = _finite(msgspec.to_builtins(draft))
    return msgspec.convert(document | {"digest": self_digest(document)}, Evidence)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def encode(evidence: Evidence) -> bytes:
    """The bytes of ``evidence.json``: one text per evidence."""
    return pretty_json(msgspec.to_builtins(evidence))


def write(path: Path, evidence: Evidence) -> None:
    """Writes the file whole or not at all.

    Raises:
        DiskError, AccessError: as the system says.
    """
    write_atomic(path, encode(evidence))


def read(path: Path) -> Evidence:
    """Reads evidence; a single changed bit is found.

    Raises:
        NotFoundError: there is no such file.
        FormatError: it is not of this form.
        DigestError: it is not what was written.
    """
    try:
        data = read_record(path)
    except FileNotFoundError:
        raise NotFoundError("there is no evidence", where=path) from None
    try:
        evidence = msgspec.json.decode(data, type=Evidence)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not evidence: {error}", where=path) from None
    sealed = self_digest(msgspec.to_builtins(evidence)) == evidence.digest
    if not sealed or encode(evidence) != data:
        raise DigestError("this evidence is not what a run wrote", where=path)
    return evidence


def status(evidence: Evidence | None, *, subject: Subject, top1_claim: Top1Claim | None) -> Status:
    """How far a model is proven.

    Args:
        evidence: what a run measured, if one did.
        subject: what the question is about; evidence about something else counts as none.
        top1_claim: what rung 6 is judged against today, if anything is claimed.
    """
    if evidence is None or evidence.subject != subject:
        return "claimed"
    if evidence.height == RUNGS and _bears_out(evidence.rungs[-1], top1_claim):
        return "verified"
    if evidence.height >= 5:
        return "parity"
    return "converted" if evidence.height >= 3 else "claimed"


def _bears_out(zero_shot: Rung, claim: Top1Claim | None) -> bool:
    """Whether it was this claim that passed: on all its data, and in what rungs 4 and 5 prove."""
    on, figures = zero_shot.measured_on, zero_shot.figures
    if claim is None or on is None or not on.whole or on.name != claim.dataset:
        return False
    judged = {"claimed": str(claim), "source": claim.source, "protocol": claim.protocol}
    claims = figures.get("claims")  # anything may stand there: it is a file's word
    rows = [row for row in claims if isinstance(row, dict)] if isinstance(claims, list) else []
    held = any(row.items() >= judged.items() for row in rows)
    return held and figures.get("precision") == "float32"
