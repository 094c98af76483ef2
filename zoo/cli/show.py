"""``zoo show``: one entry, its claims side by side, and what runs have shown of them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from zoo.cli.output import Output, printable
from zoo.errors import UsageError
from zoo.manifest import Manifest, registry
from zoo.verify.standing import Finding, findings, standing

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLES = """\
examples:
  zoo show CLIP-ViT-B-32-laion2B-s34B-b79K
  zoo show laion/CLIP-ViT-g-14            any unique prefix will do
  zoo show apple/DFN5B-CLIP-ViT-H-14 --json
  zoo show --remote laion/CLIP-ViT-g-14   what the hub has, by its headers"""

HUB = "https://huggingface.co/"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL", help="an id, an alias, or a unique prefix of one")
    parser.add_argument(
        "--remote", action="store_true", help="look at the hub's checkpoint, by its headers alone"
    )
    parser.add_argument("--revision", metavar="SHA", help="with --remote: a commit, branch or tag")


def run(args: argparse.Namespace) -> int:
    out = Output(args)
    if args.remote:
        from zoo.cli.show_remote import show_remote

        return show_remote(args.model, args.revision, out)
    if args.revision:
        raise UsageError("--revision goes with --remote")
    if args.model.startswith((".", "/", "~")):
        raise UsageError(
            "this is a path, and `zoo show` is for the models of the zoo",
            where=args.model,
            remedy="`zoo verify DIR` looks at a converted folder, `zoo diff A B` at any two.",
        )
    zoo = registry()
    manifest = zoo.find(args.model)
    found = findings(zoo, manifest)
    if out.json:
        out.document(_document(manifest, found))
    else:
        _print_entry(out, manifest, found)
    return 0


def _document(manifest: Manifest, found: tuple[Finding, ...]) -> dict[str, object]:
    builtins = msgspec.to_builtins
    return {
        "manifest": builtins(manifest),
        "status": standing(found),
        "judged_claim": builtins(manifest.judged_claim),
        "disputed_params": builtins(manifest.disputed_params()),
        "disputed_top1": builtins(manifest.disputed_top1()),
        "evidence": [
            {
                "where": str(finding.where),
                "status": finding.status,
                "problem": finding.problem,
                "evidence": builtins(finding.evidence),
            }
            for finding in found
        ],
    }


def _print_entry(out: Output, manifest: Manifest, found: tuple[Finding, ...]) -> None:
    out.data(manifest.id + "\n")
    out.table(_grid(_facts(manifest, found)))
    out.data("\nclaims; * disagrees by more than rounding\n")
    out.table(_claims(manifest))
    if not found:
        out.data("\nno evidence yet: `zoo convert` and `zoo verify` make it")
    for finding in found:
        out.data(f"\nevidence: {printable(str(finding.where))}\n")
        out.table(_grid(_outcome(finding)))
    out.data("\nlinks\n")
    out.data(f"{HUB}{manifest.source.hub}")
    if manifest.source.paddlemix:
        out.data(manifest.source.paddlemix)


def _facts(manifest: Manifest, found: tuple[Finding, ...]) -> Iterator[tuple[str, str]]:
    source, pre, params = manifest.source, manifest.preprocess, manifest.params
    yield "status", standing(found)
    yield "licence", manifest.license
    if manifest.license_note:
        yield "", manifest.license_note
    yield "source", f"{source.hub}, {source.revision or 'unpinned'}"
    if source.open_clip:
        yield "", f"open_clip {source.open_clip}"
    for name, sha256 in source.sha256.items():
        yield "", f"{name} sha256 {sha256}"
    yield "architecture", f"{manifest.architecture}, {_activation(manifest)}"
    towers = [(params.vision, "image tower"), (params.text, "text tower")]
    detail = ", ".join(f"{name} {count:,}" for count, name in towers if count)
    yield "parameters", f"{params.total:,}" + (f" ({detail})" if detail else "")
    yield "preprocess", f"{pre.size} x {pre.size} pixels, {pre.interpolation}, {pre.resize}"
    yield "", f"mean {' '.join(map(str, pre.mean))}"
    yield "", f"std {' '.join(map(str, pre.std))}"
    for note in manifest.notes:
        yield "note", note


def _activation(manifest: Manifest) -> str:
    if manifest.quick_gelu == "from-file":
        return "activation as the checkpoint's own configuration says"
    return "quick_gelu" if manifest.quick_gelu else "gelu"


def _claims(manifest: Manifest) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in ("claim", "value", "source", "protocol"):
        table.add_column(
            heading, justify="right" if heading == "value" else "left", overflow="fold"
        )
    for row in _claim_rows(manifest):
        table.add_row(*map(Text, row))
    return table


def _claim_rows(manifest: Manifest) -> Iterator[tuple[str, str, str, str]]:
    yield "parameters", f"{manifest.params.total / 1e6:.2f} M", "the architecture", "counted"
    for count in manifest.claims.params:
        star = "*" if count in manifest.disputed_params() else ""
        yield "parameters", f"{star}{count} {count.unit}", count.source, "unstated"
    for top1 in manifest.claims.top1:
        star = "*" if top1 in manifest.disputed_top1() else ""
        judged = " (rung 6 is judged against this)" if top1 == manifest.judged_claim else ""
        yield "top-1", f"{star}{top1} %", top1.source, f"{top1.dataset}: {top1.protocol}{judged}"


def _outcome(finding: Finding) -> Iterator[tuple[str, str]]:
    """What one piece of evidence says, rung by rung."""
    if finding.evidence is None:
        yield "none", finding.problem or ""
        return
    yield "shows", finding.status
    yield "tensors", f"sha256 {finding.evidence.subject.tensors_digest}"
    for rung in finding.evidence.rungs:
        said = [rung.status, rung.reason, *_pairs(rung.figures)]
        if on := rung.measured_on:
            said.append(f"on {on.name} ({on.items}{', all of it' if on.whole else ''})")
        yield f"{rung.number} {rung.name}", ", ".join(text for text in said if text)


def _pairs(figures: dict[str, Any]) -> Iterator[str]:
    for name, value in figures.items():
        yield f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"


def _grid(rows: Iterator[tuple[str, str]]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows:
        grid.add_row(Text(printable(name)), Text(printable(value)))
    return grid
