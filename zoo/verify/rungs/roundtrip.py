"""Rung 3: the plan, inverted, gives the source back bit for bit.

After a cast it means the cast source: the type that was asked for is the only thing that changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from zoo.convert.assemble import plan_for
from zoo.convert.chunks import DTYPES, Counts, pieces
from zoo.convert.provenance import FileRecord, Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.reconcile import contradictions
from zoo.convert.select import Opened
from zoo.files import sha256_file
from zoo.manifest import Manifest
from zoo.spec import CLIPSpec
from zoo.talk import Talk
from zoo.verify.outcome import Outcome, failed, passed


def is_recorded(opened: Opened, record: Provenance, talk: Talk) -> bool:
    """Whether these are the files the checkpoint was converted from."""
    with talk.progress("source", opened.nbytes, unit="B") as advance:
        found = [
            FileRecord(name=f.name, size=f.stat().st_size, sha256=sha256_file(f, advance))
            for f in opened.files
        ]
    return found == record.source.files


def check_roundtrip(
    checkpoint: Checkpoint,
    spec: CLIPSpec,
    record: Provenance,
    opened: Opened,
    manifest: Manifest | None,
    talk: Talk,
) -> Outcome:
    """Compares the source with what the inverse makes of the stored tensors, and its configuration
    with the stored one: what reads both may have learnt since."""
    if not is_recorded(opened, record, talk):
        return failed("this source is not the one the checkpoint was converted from")
    if otherwise := contradictions(spec, opened.stated, manifest, trust=record.trust):
        return failed(f"the checkpoint's configuration is not its source's: {otherwise[0]}")
    plan = plan_for(opened, spec)
    different: list[str] = []
    source = opened.checkpoint
    with talk.progress("roundtrip", len(source.tensors)) as advance:
        for step in plan.inverse().steps:
            arrays = step.op.apply([checkpoint.tensor(name) for name in step.sources])
            dtype = DTYPES[record.tensors[step.sources[0]].dtype]
            for name, array in zip(step.targets, arrays, strict=True):
                original = source.tensor(name)
                same_shape = array.shape == original.shape
                if not (same_shape and _same_bytes(array, original, dtype)):
                    different.append(name)
                advance(1)
    made = {name for step in plan.steps for name in step.sources}
    figures = {
        "tensors": len(made),
        "different": len(different),
        "overflowed": sum(tensor.overflowed for tensor in record.tensors.values()),
        "vanished": sum(tensor.vanished for tensor in record.tensors.values()),
    }
    bounds = {"tensors": len(source.tensors) - len(plan.dropped), "different": 0}
    if different:
        names = ", ".join(different[:3]) + (", ..." if len(different) > 3 else "")
        return failed(f"the source does not come back: {names}", figures, bounds=bounds)
    return passed(figures, bounds=bounds)


def _same_bytes(ours: NDArray[Any], original: NDArray[Any], dtype: Any) -> bool:
    return all(a == b for a, b in zip(_bytes(ours, dtype), _bytes(original, dtype), strict=True))


def _bytes(array: NDArray[Any], dtype: Any) -> Iterator[memoryview]:
    return pieces(array, dtype, Counts())
