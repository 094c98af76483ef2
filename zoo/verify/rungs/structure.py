"""Rung 2: names, shapes, types and the exact parameter count are what they should be."""

from __future__ import annotations

import math

from zoo.convert.chunks import NAMES
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.manifest import Manifest
from zoo.spec import CLIPSpec
from zoo.spec.layout import native_shapes
from zoo.verify.outcome import Outcome, failed, passed


def check_structure(
    checkpoint: Checkpoint, spec: CLIPSpec, record: Provenance, manifest: Manifest | None
) -> Outcome:
    """Compares the stored headers with the specification, the provenance and the manifest."""
    expected = native_shapes(spec)
    stored = checkpoint.tensors
    problems = [f"{name} is missing" for name in expected if name not in stored]
    problems += [f"{name} is not expected" for name in stored if name not in expected]
    for name in (name for name in expected if name in stored):
        info = stored[name]
        if info.shape != expected[name]:
            problems.append(f"{name} is {list(info.shape)}, not {list(expected[name])}")
        recorded = record.tensors.get(name)
        if recorded is None:
            problems.append(f"the provenance does not know {name}")
        elif NAMES.get(info.dtype) != recorded.dtype:
            problems.append(f"{name} is of type {info.dtype}, not {recorded.dtype}")
    count = sum(math.prod(info.shape) for info in stored.values())
    figures = {"tensors": len(stored), "params": count}
    bounds = {"tensors": len(expected), "params": sum(map(math.prod, expected.values()))}
    if manifest is not None:
        if count != manifest.params.total:
            bounds["params"] = manifest.params.total
            problems.append(f"{count:,} parameters; the manifest has {manifest.params.total:,}")
        problems += [
            f"{file.name} of its source is not the one that the manifest names"
            for file in record.source.files
            if manifest.source.sha256.get(file.name, file.sha256) != file.sha256
        ]
    if problems:
        more = f", and {len(problems) - 3} more" if len(problems) > 3 else ""
        return failed("; ".join(problems[:3]) + more, figures, bounds=bounds)
    return passed(figures, bounds=bounds)
