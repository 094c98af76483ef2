"""``zoo show``: one entry, its claims side by side, and what runs have shown of them.

What is no entry has modules of its own: ``show_own``, ``show_bundled``, ``show_remote``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from zoo import cache
from zoo.cli.findings import evidence_document, grid, print_evidence
from zoo.cli.output import Output
from zoo.convert.source import find_source, paths_told
from zoo.errors import UsageError
from zoo.manifest import Manifest, registry
from zoo.verify.standing import Finding, findings, standing

if TYPE_CHECKING:
    from rich.table import Table

    from zoo.manifest.entry import Preprocess
    from zoo.spec import CLIPSpec, Pair, PreprocessSpec

EXAMPLES = """\
examples:
  zoo show CLIP-ViT-B-32-laion2B-s34B-b79K
  zoo show laion/CLIP-ViT-g-14            any unique prefix will do
  zoo show apple/DFN5B-CLIP-ViT-H-14 --json
  zoo show --remote laion/CLIP-ViT-g-14   what the hub has, by its headers
  zoo show ./B-32                         a checkpoint that zoo converted
  zoo show my-model                       what `zoo convert --id my-model` made
  zoo show tiny-digits                    the checkpoint that comes with zoo"""

HUB = "https://huggingface.co/"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "model",
        metavar="MODEL|DIR",
        help="an id, an alias or a unique prefix of one; a converted model's id or folder",
    )
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
    source = find_source(args.model)
    if source.is_bundled:
        from zoo.cli.show_bundled import show_bundled

        return show_bundled(out)
    if source.path is not None:
        from zoo.cli.show_own import show_folder

        return show_folder(source.path, out)
    if source.manifest is None and (folders := cache.converted(source.id)):
        from zoo.cli.show_own import show_cached

        return show_cached(source.id, folders, out)
    zoo = registry()
    with paths_told(args.model):
        manifest = source.manifest or zoo.find(args.model)
    found = findings(zoo, manifest)
    if out.json:
        out.document(document(manifest, found))
    else:
        _print_entry(out, manifest, found)
    return 0


def document(manifest: Manifest | None, found: tuple[Finding, ...]) -> dict[str, object]:
    """What every model's document has; without a manifest nothing is claimed."""
    builtins = msgspec.to_builtins
    return {
        "manifest": builtins(manifest),
        "status": standing(found),
        "judged_claim": builtins(manifest.judged_claim) if manifest else None,
        "disputed_params": builtins(manifest.disputed_params()) if manifest else [],
        "disputed_top1": builtins(manifest.disputed_top1()) if manifest else [],
        "evidence": evidence_document(found),
    }


def _print_entry(out: Output, manifest: Manifest, found: tuple[Finding, ...]) -> None:
    out.data(manifest.id + "\n")
    out.table(grid(_facts(manifest, found)))
    out.data("\nclaims; * disagrees by more than rounding\n")
    out.table(_claims(manifest))
    print_evidence(out, found)
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
    yield "parameters", shown_params(params.total, params.vision, params.text)
    yield from preprocess_rows((pre.size, pre.size), pre)
    for note in manifest.notes:
        yield "note", note


def shown_params(total: int, vision: int | None, text: int | None) -> str:
    towers = [(vision, "image tower"), (text, "text tower")]
    detail = ", ".join(f"{name} {count:,}" for count, name in towers if count)
    return f"{total:,}" + (f" ({detail})" if detail else "")


def shown_towers(spec: CLIPSpec) -> str:
    """What there is to know of an architecture that has no name."""
    vision, text = spec.vision, spec.text
    told = []
    if vision:
        height, width = vision.patch_size
        patches = f"patches of {height} x {width} pixels"
        told.append(f"image {vision.layers} blocks of width {vision.width}, {patches}")
    if text:
        told.append(f"text {text.layers} blocks of width {text.width}")
    activations = " and ".join(sorted({tower.activation for tower in (vision, text) if tower}))
    return f"{'; '.join(told)}; {activations}; embeddings of {spec.embed_dim}"


def preprocess_rows(size: Pair, pre: Preprocess | PreprocessSpec) -> Iterator[tuple[str, str]]:
    height, width = size
    yield "preprocess", f"{height} x {width} pixels, {pre.interpolation}, {pre.resize}"
    yield "", f"mean {' '.join(map(str, pre.mean))}"
    yield "", f"std {' '.join(map(str, pre.std))}"


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
