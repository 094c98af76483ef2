"""What a run found, as it is kept, and what follows from it.

A case is one piece of work, done in turns by several contestants. Its values are costs, the fewer
the better: seconds for one unit of the work, or megabytes. Ratios are taken within a round, because
a machine's speed drifts and what two turns of one round share cancels out.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from msgspec import structs

from zoo.errors import FormatError
from zoo.files import pretty_json
from zoo.verify.tolerance import parity_bound

# Rounding is 1e-6 of a value; a reference whose float32 is this far from its own float64 was given
# something else, and no band can be had from it.
SAME = 1e-3


class Contestant(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Attributes:
    values: its cost in every round.
    failed: why it has none.
    error: relative RMS error of what it computed, against float64.
    ours: it is zoo's.
    """

    name: str
    values: list[float] = []
    failed: str | None = None
    error: float | None = None
    ours: bool = False

    @property
    def middle(self) -> float:
        return statistics.median(self.values)


class Target(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is wanted of one contestant; one of the three is set.

    Attributes:
        ours: its name.
        over: whom it is held against: the fastest of these. Nobody: its own cost counts.
        at_least: how many times as fast it should be.
        at_most: how many times the cost it may take, or the cost itself.
        in_band: its error is to be within the band of zoo/verify/tolerance.py, given the error of
            ``over``, which is the reference in float32.
    """

    ours: str
    over: list[str] = []
    at_least: float | None = None
    at_most: float | None = None
    in_band: bool = False


class Limit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What the machine can do at best: ``values`` are seconds for one ``unit`` (GFLOP, GB)."""

    name: str
    unit: str
    values: list[float] = []

    @property
    def rate(self) -> float:
        return 1 / statistics.median(self.values)


class Case(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Attributes:
    unit: of what is shown: "s", "ms", "MB", or something per second, as "images/s".
    baseline: the contestant that the others are shown beside.
    amount: what one unit of work takes of the limits: GFLOP, or GB.
    against: what is varied from case to case, as "batch", and ``size`` its value here.
    environment: where it was measured.
    others: cores that were in use by others when it began.
    """

    title: str
    unit: str
    contestants: list[Contestant]
    baseline: str | None = None
    targets: list[Target] = []
    limits: list[Limit] = []
    amount: float | None = None
    against: str | None = None
    size: float | None = None
    note: str = ""
    environment: dict[str, Any] = {}
    others: float = 0.0

    def find(self, name: str) -> Contestant:
        return next(c for c in self.contestants if c.name == name)

    def shown(self, cost: float) -> float:
        """A cost in the case's unit."""
        if self.unit.endswith("/s"):
            return 1 / cost
        return cost * 1000 if self.unit == "ms" else cost


class Section(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One work, and its cases as far as it came; ``failed``: by model, why it ended early."""

    work: str
    title: str
    about: str
    cases: list[Case] = []
    failed: dict[str, str] = {}


class Results(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    schema_version: int = 1
    sections: list[Section] = []

    def put(self, section: Section) -> None:
        """Adds a work's cases, each in place of an older one of its title."""
        for place, other in enumerate(self.sections):
            if other.work == section.work:
                new = {case.title: case for case in section.cases}
                old = {case.title: case for case in other.cases}
                self.sections[place] = structs.replace(section, cases=list((old | new).values()))
                return
        self.sections.append(structs.replace(section, cases=list(section.cases)))


class Ratio(NamedTuple):
    """The median of the rounds' ratios, the smallest and the largest."""

    middle: float
    low: float
    high: float


class Verdict(NamedTuple):
    target: Target
    over: str | None  # the one it was held against in the end
    ratio: Ratio
    reached: bool


def ratio(over: Sequence[float], under: Sequence[float]) -> Ratio:
    """``over`` / ``under``, round by round; a round that one of them lacks is left out."""
    each = sorted(a / b for a, b in zip(over, under, strict=False))
    return Ratio(statistics.median(each), each[0], each[-1])


def speed(case: Case, name: str, over: str) -> Ratio | None:
    """How many times as fast as another a contestant was; None where one of them failed."""
    mine, theirs = case.find(name), case.find(over)
    return ratio(theirs.values, mine.values) if mine.values and theirs.values else None


def judge(case: Case, target: Target) -> Verdict | None:
    """Whether a target was reached, by the median; None where who it names has no values."""
    if target.in_band:
        return _judge_error(case, target)
    mine = case.find(target.ours).values
    if not mine:
        return None
    if not target.over:
        assert target.at_most is not None
        own = Ratio(statistics.median(mine), min(mine), max(mine))
        return Verdict(target, None, own, own.middle <= target.at_most)
    rivals = [c for name in target.over if (c := case.find(name)).values]
    if not rivals:
        return None
    best = min(rivals, key=lambda rival: rival.middle)
    if target.at_least is not None:
        found = ratio(best.values, mine)
        return Verdict(target, best.name, found, found.middle >= target.at_least)
    assert target.at_most is not None
    found = ratio(mine, best.values)
    return Verdict(target, best.name, found, found.middle <= target.at_most)


def _judge_error(case: Case, target: Target) -> Verdict | None:
    """The error as a share of what is allowed."""
    (over,) = target.over
    mine, reference = case.find(target.ours).error, case.find(over).error
    if mine is None or reference is None:
        return None
    part = mine / parity_bound(reference)
    same = reference < SAME
    return Verdict(target, over, Ratio(part, part, part), same and part <= 1)


def share(case: Case, name: str) -> float | None:
    """How much of the best limit a contestant used, 1 being all of it."""
    mine = case.find(name).values
    if not (case.amount and mine and case.limits):
        return None
    best = max(limit.rate for limit in case.limits)
    return case.amount / statistics.median(mine) / best


def read(path: Path) -> Results:
    """The results of earlier runs; none where there is no file.

    Raises:
        FormatError: the file is not of this version.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except FileNotFoundError:
        return Results()
    except msgspec.MsgspecError as error:
        raise FormatError(
            f"not results of this version: {error}",
            where=path,
            remedy="Move it away, or name another --out.",
        ) from None


def write(path: Path, results: Results) -> None:
    """Replaces the file at once, so that a killed run leaves the last whole one."""
    draft = path.with_name(path.name + ".part")
    draft.write_bytes(pretty_json(msgspec.to_builtins(results)))
    draft.replace(path)
