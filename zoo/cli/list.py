"""``zoo list``: the registry as a table."""

from __future__ import annotations

import argparse
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby

from zoo import cache
from zoo.cli.output import Output, printable
from zoo.data import BUNDLED
from zoo.manifest import Manifest, Top1Claim, registry
from zoo.verify.evidence import Status
from zoo.verify.standing import findings, findings_here, standing

EXAMPLES = """\
examples:
  zoo list
  zoo list --json"""

PADDLEMIX = "PaddleMIX"  # whose tables the zoo started from
WIDTH = 80


def configure(parser: argparse.ArgumentParser) -> None:
    """``zoo list`` takes no arguments of its own."""


def run(args: argparse.Namespace) -> int:
    out = Output(args)
    zoo = registry()
    models = _ranked(zoo.manifests)
    statuses = {m.id: standing(findings(zoo, m)) for m in models}
    own = [model for model in cache.models() if model not in zoo.names and model != BUNDLED]
    if out.json:
        mine = [{"id": model, "status": standing(findings_here(model, None))} for model in own]
        out.document({"models": [_entry(m, statuses[m.id]) for m in models], "own": mine})
    else:
        _print_table(out, models, statuses, own)
    return 0


def _entry(manifest: Manifest, status: Status) -> dict[str, object]:
    judged, paddlemix = manifest.judged_claim, _paddlemix_top1(manifest)
    return {
        "id": manifest.id,
        "family": manifest.family,
        "params": manifest.params.total,
        "top1": judged.value if judged else None,
        "top1_paddlemix": paddlemix.value if paddlemix else None,
        "status": status,
        "license": manifest.license,
        "disputed_params": [claim.value for claim in manifest.disputed_params()],
        "disputed_top1": [claim.value for claim in manifest.disputed_top1()],
    }


def _print_table(
    out: Output, models: list[Manifest], statuses: dict[str, Status], own: list[str]
) -> None:
    """Plain text: rich would add half as much again to the time this command takes."""
    row = f"{{:<{max(len(m.id) for m in models)}}} {{:>8}} {{:>8}} {{:>10}}  {{}}"
    out.data(row.format("model", "params M", "top-1 %", PADDLEMIX, "status"))
    for family, group in groupby(models, key=_family):
        out.data(f"\n{family}")
        for manifest in group:
            out.data(row.format(manifest.id, *_figures(manifest), statuses[manifest.id]))
    for note in _notes(models, own):
        out.data("\n" + textwrap.fill(note, WIDTH, break_on_hyphens=False))


def _ranked(manifests: Sequence[Manifest]) -> list[Manifest]:
    """PaddleMIX's families first and of these the largest; in each the best model first."""
    sizes = Counter(_family(manifest) for manifest in manifests)
    known = Counter(_family(manifest) for manifest in manifests if manifest.source.paddlemix)

    def rank(manifest: Manifest) -> tuple[int, int, str, float]:
        family, judged = _family(manifest), manifest.judged_claim
        best = -judged.value if judged else 0.0
        return (-known[family], -sizes[family], family.casefold(), best)

    return sorted(manifests, key=rank)


def _family(manifest: Manifest) -> str:
    return f"{manifest.family}, licence {manifest.license}"


def _figures(manifest: Manifest) -> tuple[str, str, str]:
    """Exact parameters, the judged top-1 and PaddleMIX's; a star where a claim disagrees."""
    judged, paddlemix = manifest.judged_claim, _paddlemix_top1(manifest)
    params = f"{manifest.params.total / 1e6:.2f}"
    disputed = paddlemix in manifest.disputed_top1()
    return (
        f"*{params}" if manifest.disputed_params() else params,
        str(judged) if judged else "-",
        f"{'*' if disputed else ''}{paddlemix or '-'}",
    )


def _paddlemix_top1(manifest: Manifest) -> Top1Claim | None:
    return next((claim for claim in manifest.claims.top1 if claim.source == PADDLEMIX), None)


def _notes(manifests: list[Manifest], own: list[str]) -> Iterator[str]:
    if own:
        yield printable(f"Converted here, and none of these: {', '.join(own)} (`zoo show MODEL`).")
    yield (
        f"{BUNDLED}, which comes with zoo, is none of these: a small CLIP of handwritten digits, "
        f"to try things with (`zoo show {BUNDLED}`)."
    )
    yield (
        "params M: the exact count. top-1 %: zero-shot, the claim that `zoo verify` is held "
        f"against; {PADDLEMIX}: the figure in its tables."
    )
    counts = [
        f"{claim.source} has {claim} {claim.unit} for {manifest.id}"
        for manifest in manifests
        for claim in manifest.disputed_params()
    ]
    if counts or any(_paddlemix_top1(m) in m.disputed_top1() for m in manifests):
        yield (
            f"* disagrees by more than rounding{': ' if counts else ''}{', '.join(counts)}. "
            "`zoo show MODEL` has every claim with its source."
        )
