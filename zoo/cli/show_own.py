"""``zoo show`` of a converted checkpoint itself: a folder, or a model of one's own in the cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.cli.findings import grid, print_evidence
from zoo.cli.output import Output, printable
from zoo.cli.show import document, preprocess_rows, shown_params, shown_towers
from zoo.convert import provenance
from zoo.convert.provenance import Provenance
from zoo.convert.select import is_converted
from zoo.errors import NotFoundError, ZooError
from zoo.manifest import Manifest, registry
from zoo.spec import CLIPSpec, native
from zoo.spec.count import ParamCount, count_params
from zoo.verify.standing import Finding, finding_beside, standing


@dataclass(frozen=True, kw_only=True)
class Own:
    """A converted checkpoint: what its own files say, and what a run has shown of it."""

    folder: Path
    record: Provenance
    spec: CLIPSpec
    manifest: Manifest | None
    finding: Finding


def show_folder(folder: Path, out: Output) -> int:
    """Shows one converted checkpoint.

    Raises:
        NotFoundError: the folder is none.
        DigestError, ConfigError: its provenance or its configuration is damaged.
    """
    own = _own(folder)
    _show(own.record.id, (own,), (), out)
    return 0


def show_cached(model: str, folders: Sequence[Path], out: Output) -> int:
    """Shows every conversion that the cache has of a model; a damaged one with what is wrong."""
    owns, damaged = [], []
    for folder in folders:
        try:
            owns.append(_own(folder))
        except ZooError as error:
            damaged.append((folder, error))
    _show(model, owns, damaged, out)
    return 0


def _own(folder: Path) -> Own:
    if folder.exists() and not is_converted(folder):
        raise NotFoundError(
            "this is no converted checkpoint",
            where=folder,
            remedy="`zoo convert` makes one; `zoo diff A B` looks at any two.",
        )
    record = provenance.read(folder)
    manifest = registry().names.get(record.id)
    return Own(
        folder=folder,
        record=record,
        spec=native.read(folder / native.CONFIG_NAME),
        manifest=manifest,
        finding=finding_beside(folder, record.id, manifest.judged_claim if manifest else None),
    )


def _show(
    model: str, owns: Sequence[Own], damaged: Sequence[tuple[Path, ZooError]], out: Output
) -> None:
    found = tuple(own.finding for own in owns)
    if out.json:
        manifest = owns[0].manifest if owns else None
        broken = [{"folder": str(folder), "problem": error.what} for folder, error in damaged]
        converted = [_document(own) for own in owns]
        out.document({**document(manifest, found), "id": model, "converted": [*converted, *broken]})
        return
    out.data(printable(model))
    for own in owns:
        out.data("")
        out.table(grid(_rows(own)))
        print_evidence(out, (own.finding,))
    for folder, error in damaged:
        out.data("")
        out.table(grid((("folder", str(folder)), ("problem", error.what))))


def _document(own: Own) -> dict[str, Any]:
    record = own.record
    return {
        "folder": str(own.folder),
        "problem": None,
        "status": standing([own.finding]),
        "config": native.dump(own.spec),
        "params": _params(record)._asdict(),
        "types": _types(record),
        "source": {
            "repo": record.source.repo,
            "commit": record.source.commit,
            "format": record.source.format,
            "sha256": {file.name: file.sha256 for file in record.source.files},
        },
        "command": record.command,
        "tensors_digest": record.tensors_digest,
    }


def _rows(own: Own) -> Iterator[tuple[str, str]]:
    record, source, pre = own.record, own.record.source, own.spec.preprocess
    yield "status", standing([own.finding])
    yield "folder", str(own.folder)
    if own.manifest:
        yield "note", f"what is claimed of it: zoo show {own.manifest.id}"
    if record.is_trained:
        yield "source", "trained, and not converted from anything"
    else:
        place = f"{source.repo}@{source.commit or '?'}" if source.repo else "local files"
        yield "source", f"{place}, {source.format}"
    for file in source.files:
        yield "", f"{file.name} sha256 {file.sha256}"
    yield "made by", " ".join(record.command)
    yield "architecture", shown_towers(own.spec)
    yield "parameters", shown_params(*_params(record))
    yield "types", ", ".join(f"{name} ({count})" for name, count in _types(record).items())
    if pre is None:
        yield "preprocess", "nothing says how pictures are prepared"
    else:
        yield from preprocess_rows(pre.size, pre)


def _params(record: Provenance) -> ParamCount:
    return count_params({name: tensor.shape for name, tensor in record.tensors.items()})


def _types(record: Provenance) -> dict[str, int]:
    """How many tensors there are of each type."""
    return dict(Counter(tensor.dtype for tensor in record.tensors.values()))
