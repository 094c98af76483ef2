"""``zoo show tiny-digits``: the checkpoint that comes with zoo, which is none of the registry's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zoo import data
from zoo.cli.findings import grid, print_evidence
from zoo.cli.output import Output
from zoo.cli.show import document, preprocess_rows, shown_params, shown_towers
from zoo.data import BUNDLED
from zoo.imagesets.bundled import open_clips_top1
from zoo.spec import CLIPSpec, open_clip
from zoo.spec.count import ParamCount, expected_params
from zoo.verify.standing import Finding, findings_here, standing

LICENCE = "Apache-2.0"  # zoo/data/README.md
NOTE = "none of the models that `zoo list` has: nobody claims anything of it"


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of it without converting it; ``top1`` is open_clip's, correct and of."""

    spec: CLIPSpec
    params: ParamCount
    top1: tuple[int, int]


def show_bundled(out: Output) -> int:
    """Shows it like an entry of the zoo, without claims, since there are none."""
    spec = open_clip.read(data.path("tiny") / open_clip.CONFIG_NAME)
    facts = Facts(spec=spec, params=expected_params(spec), top1=open_clips_top1())
    found = findings_here(BUNDLED, None)
    if out.json:
        out.document(_document(facts, found))
        return 0
    out.data(f"{BUNDLED}\n")
    out.table(grid(_rows(facts, found)))
    print_evidence(out, found)
    return 0


def _document(facts: Facts, found: tuple[Finding, ...]) -> dict[str, Any]:
    correct, of = facts.top1
    return {
        **document(None, found),
        "bundled": {
            "id": BUNDLED,
            "license": LICENCE,
            "params": facts.params._asdict(),
            "open_clip_top1": {"correct": correct, "of": of},
        },
    }


def _rows(facts: Facts, found: tuple[Finding, ...]) -> Iterator[tuple[str, str]]:
    pre = facts.spec.preprocess
    assert pre
    correct, of = facts.top1
    yield "status", standing(found)
    yield "licence", LICENCE
    yield "source", "comes with zoo: handwritten digits, trained by open_clip"
    yield "architecture", shown_towers(facts.spec)
    yield "parameters", shown_params(*facts.params)
    yield from preprocess_rows(pre.size, pre)
    yield "open_clip", f"classifies {correct} of {of} held-out digits correctly"
    yield "note", NOTE
