"""Rung 3 of a checkpoint that was trained: it is its own source.

There is no file that it was converted from. So the stored tensors go out in the form that the
reference reads, by the inverted table, and come back by the table as a foreign checkpoint would:
each by its bytes, as a file would hold them, one tensor at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from zoo.convert.assemble import to_write
from zoo.convert.chunks import DTYPES, Array, Counts, pieces
from zoo.convert.export import TARGETS
from zoo.convert.plan import Plan, make_plan
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.stream import Tensor
from zoo.convert.tables import recognise, rows_for
from zoo.errors import MappingError
from zoo.spec import CLIPSpec
from zoo.talk import Talk
from zoo.verify.evidence import MeasuredOn
from zoo.verify.outcome import Outcome, failed, passed
from zoo.verify.reference_folder import family_for

SHOWN = 3  # names in a reason


def check_out_and_back(
    checkpoint: Checkpoint, spec: CLIPSpec, record: Provenance, talk: Talk
) -> Outcome:
    """Compares the stored tensors with what comes back of them: names, shapes, types, bytes.

    Raises:
        MappingError: the table has no place for a tensor, or an operation gives another shape.
    """
    family = family_for(spec, record)
    target = TARGETS[family]
    out = {tensor.name: tensor for tensor in to_write(checkpoint, target.plan(spec), "keep")}
    if recognise(out) is not target.format:
        raise MappingError(f"what goes out is not recognised as {family}'s")
    shapes = {name: tensor.shape for name, tensor in out.items()}
    rows = rows_for(target.format, spec)
    back = make_plan(rows, shapes, spec, droppable=(), where=f"the tensors as {family} has them")
    different = _different(checkpoint, out, back, talk)
    count = sum(len(step.targets) for step in back.steps)
    figures = {"form": family, "tensors": count, "different": len(different)}
    bounds = {"tensors": len(checkpoint.tensors), "different": 0}
    on = MeasuredOn(name="the checkpoint itself", items=count, whole=True)
    if different:
        names = ", ".join(different[:SHOWN]) + (", ..." if len(different) > SHOWN else "")
        reason = f"the checkpoint does not come back as it went out: {names}"
        return failed(reason, figures, bounds=bounds, measured_on=on)
    reason = f"trained, so there is no source file: it went out as {family} has it and came back"
    return passed(figures, bounds=bounds, measured_on=on, reason=reason)


def _different(
    checkpoint: Checkpoint, out: Mapping[str, Tensor], back: Plan, talk: Talk
) -> list[str]:
    """The names that come back otherwise than they are stored."""
    different = []
    with talk.progress("roundtrip", len(checkpoint.tensors)) as advance:
        for step in back.steps:
            arrays = step.op.apply([_through_bytes(out[name]) for name in step.sources])
            for name, array in zip(step.targets, arrays, strict=True):
                if not _equal(array, checkpoint.tensor(name)):
                    different.append(name)
                advance(1)
    return different


def _through_bytes(tensor: Tensor) -> Array:
    """A tensor as a reader finds it in a file: nothing of the view that it was is left."""
    array = tensor.produce()
    if array.shape != tensor.shape:
        shapes = f"{list(array.shape)}, and {list(tensor.shape)} was planned"
        raise MappingError(f"it goes out with shape {shapes}", where=tensor.name)
    dtype = DTYPES[tensor.dtype]
    return np.frombuffer(b"".join(pieces(array, dtype, Counts())), dtype).reshape(tensor.shape)


def _equal(ours: Array, stored: Array) -> bool:
    if (ours.shape, ours.dtype) != (stored.shape, stored.dtype):
        return False
    both = (pieces(array, stored.dtype, Counts()) for array in (ours, stored))
    return all(a == b for a, b in zip(*both, strict=True))
