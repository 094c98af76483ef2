"""Writes the zoo's tables into README.md, from the manifests.

    python -m tools.make_tables

A test compares what is there with what this would write.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zoo.manifest import Manifest, registry
from zoo.manifest.entry import Claim

README = Path(__file__).parent.parent / "README.md"
START, END = "<!-- tables: made by tools/make_tables.py -->", "<!-- end of tables -->"
SEED = "PaddleMIX"


def tables() -> str:
    """One Markdown table per family, in the order the families first appear."""
    families: dict[str, list[Manifest]] = {}
    for manifest in registry().manifests:
        families.setdefault(manifest.family, []).append(manifest)
    return "\n\n".join(
        _table(family, sorted(members, key=lambda m: -m.params.total))
        for family, members in families.items()
    )


def _table(family: str, members: list[Manifest]) -> str:
    lines = [
        f"### {family}",
        "",
        "| model | parameters | PaddleMIX (M) | top-1 upstream | top-1 PaddleMIX | licence |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for m in members:
        params = _seeds_figure(m.claims.params, m.disputed_params())
        claimed = _seeds_figure(m.claims.top1, m.disputed_top1())
        upstream = "" if m.judged_claim is None else str(m.judged_claim)
        link = f"[`{m.id}`](https://huggingface.co/{m.source.hub})"
        lines.append(
            f"| {link} | {m.params.total:,} | {params} | {upstream} | {claimed} | {m.license} |"
        )
    return "\n".join(lines)


def _seeds_figure(claims: Sequence[Claim], disputed: Sequence[Claim]) -> str:
    """What the seed's table says, with a star where that is disputed."""
    claim = next((claim for claim in claims if claim.source == SEED), None)
    return "" if claim is None else f"{'*' if claim in disputed else ''}{claim}"


def with_tables(text: str) -> str:
    """README's text with the tables as they should be."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{tables()}\n\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_tables(README.read_text()))
