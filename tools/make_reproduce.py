"""Writes the table of docs/reproduce.md, from the manifests.

python -m tools.make_reproduce
"""

from __future__ import annotations

from pathlib import Path

from zoo.manifest import Manifest, registry

PAGE = Path(__file__).parent.parent / "docs" / "reproduce.md"
START, END = "<!-- table: made by tools/make_reproduce.py -->", "<!-- end of table -->"
DATA = {"imagenet1k": "ImageNet's validation set"}


def table() -> str:
    """A row per entry: what to type, on what, and the figure to expect."""
    lines = [
        "| model | data | top-1 expected (%) | source of the figure | command |",
        "|---|---|---:|---|---|",
        *(_row(manifest) for manifest in registry().manifests),
    ]
    return "\n".join(lines)


def _row(manifest: Manifest) -> str:
    claim = manifest.judged_claim
    figure, source, data = "", "", ""
    if claim is not None:
        figure, source, data = str(claim), claim.source, DATA[claim.dataset]
    command = f"`zoo verify {manifest.id} --zero-shot`"
    return f"| `{manifest.id}` | {data} | {figure} | {source} | {command} |"


def with_table(text: str) -> str:
    """The page's text with the table as it should be."""
    before, _, rest = text.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n\n{table()}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))
