"""Between a plan and the writer: which arrays are written, and what is recorded of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from zoo.convert.chunks import DTYPES, Array, dtype_name, widest
from zoo.convert.plan import Plan, Step, make_plan
from zoo.convert.provenance import TensorRecord
from zoo.convert.readers import Checkpoint
from zoo.convert.select import Opened
from zoo.convert.stream import Tensor, Written
from zoo.convert.tables import SCALE, rows_for
from zoo.errors import NonfiniteError
from zoo.spec import CLIPSpec


def plan_for(opened: Opened, spec: CLIPSpec) -> Plan:
    """The plan from an open checkpoint to the native one; see ``make_plan`` for what it raises."""
    shapes = {name: info.shape for name, info in opened.checkpoint.tensors.items()}
    scale = next((shape for name, shape in shapes.items() if name.endswith(SCALE)), ())
    rows = rows_for(opened.format, spec, scale_shape=scale if scale in ((), (1,)) else ())
    where = opened.checkpoint.files[0].name
    return make_plan(rows, shapes, spec, droppable=opened.format.dropped, where=where)


def to_write(
    checkpoint: Checkpoint, plan: Plan, dtype: str, *, order: Iterable[str] | None = None
) -> list[Tensor]:
    """The plan's results as tensors to write; nothing is read yet.

    Args:
        checkpoint: the plan's source.
        plan: what to make of it.
        dtype: the type to cast to, or ``keep``.
        order: the names of all targets, in the order they are to stand in; None: the plan's.
    """
    made = {target: (step, at) for step in plan.steps for at, target in enumerate(step.targets)}
    return [_tensor(checkpoint, *made[name], dtype) for name in order or made]


def _tensor(checkpoint: Checkpoint, step: Step, at: int, dtype: str) -> Tensor:
    stored = widest([dtype_name(checkpoint.tensors[name].dtype, name) for name in step.sources])

    def produce() -> Array:
        sources = (checkpoint.tensor(name) for name in step.sources)
        return step.op.apply([array.astype(DTYPES[stored], copy=False) for array in sources])[at]

    return Tensor(
        name=step.targets[at],
        shape=step.target_shapes[at],
        dtype=stored if dtype == "keep" else dtype,
        produce=produce,
    )


def check_finite(written: Mapping[str, Written], *, allowed: bool) -> None:
    """Raises NonfiniteError where a weight was NaN or infinite, unless that is allowed."""
    broken = {name: w.counts.nonfinite for name, w in written.items() if w.counts.nonfinite}
    if broken and not allowed:
        name, count = next(iter(broken.items()))
        others = f", and {len(broken) - 1} more tensors have some" if len(broken) > 1 else ""
        raise NonfiniteError(
            f"{count} values are NaN or infinite{others}",
            where=name,
            remedy="The weights are broken. To convert them all the same: --allow-nonfinite",
        )


def tensor_records(
    plan: Plan, tensors: Sequence[Tensor], written: Mapping[str, Written]
) -> dict[str, TensorRecord]:
    """What provenance says of every tensor."""
    step_of = {target: step for step in plan.steps for target in step.targets}
    return {
        tensor.name: TensorRecord(
            sources=list(step_of[tensor.name].sources),
            action=str(step_of[tensor.name].op),
            dtype=tensor.dtype,
            shape=list(tensor.shape),
            sha256=written[tensor.name].sha256,
            nonfinite=written[tensor.name].counts.nonfinite,
            overflowed=written[tensor.name].counts.overflowed,
            vanished=written[tensor.name].counts.vanished,
        )
        for tensor in tensors
    }
