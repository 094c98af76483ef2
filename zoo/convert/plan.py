"""From rows and shapes to a plan: checked as a whole before any tensor moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from zoo.convert.ops import Copy, Op, ShapeError
from zoo.convert.readers.layout import shown
from zoo.convert.tables import Row
from zoo.errors import ConfigError, MappingError
from zoo.spec import CLIPSpec
from zoo.spec.layout import Shape, dimensions, native_layout, native_shapes

LISTED = 5  # keys named in a message; the rest is counted
COMPARED = 1000  # keys among which the nearest is looked for


@dataclass(frozen=True)
class Step:
    """``sources`` become ``targets``; shapes as they will be."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    op: Op
    source_shapes: tuple[Shape, ...]
    target_shapes: tuple[Shape, ...]

    @classmethod
    def same(cls, name: str, shape: Shape) -> Step:
        """A tensor that stays as it is."""
        return cls((name,), (name,), Copy(), (shape,), (shape,))

    def inverse(self) -> Step:
        return Step(
            self.targets, self.sources, self.op.inverse(), self.target_shapes, self.source_shapes
        )


@dataclass(frozen=True)
class Plan:
    """Every tensor of one side from every tensor of the other, each exactly once."""

    steps: tuple[Step, ...]
    dropped: tuple[str, ...]  # source tensors that are no weights

    def inverse(self) -> Plan:
        """The way back; what was dropped stays dropped."""
        return Plan(tuple(step.inverse() for step in self.steps), ())


def make_plan(
    rows: Sequence[Row],
    source: Mapping[str, Shape],
    spec: CLIPSpec,
    *,
    droppable: Collection[str],
    where: object,
) -> Plan:
    """Plans the way from a foreign checkpoint to the native one.

    Args:
        rows: complete keys, from ``rows_for``.
        source: name and shape of every foreign tensor.
        spec: what the result has to be.
        droppable: source tensors that may be left out.
        where: the checkpoint, for messages.

    Raises:
        MappingError: a key is missing, unknown, or claimed twice, or one tensor has a wrong shape.
        ConfigError: the tensors agree with each other and contradict the configuration.
    """
    _check_table(rows, native_shapes(spec))
    needed = [key for row in rows for key in row.sources]
    dropped = tuple(key for key in source if key in droppable)
    _check_keys(needed, [key for key in source if key not in droppable], where)
    steps: list[Step] = []
    found: dict[str, Shape] = {}
    failures: list[str] = []
    for row in rows:
        shapes = tuple(source[key] for key in row.sources)
        try:
            targets = tuple(row.op.shapes(shapes))
        except ShapeError as error:
            failures.append(f"{row.sources[0]} has shape {list(shapes[0])}: {error}")
            continue
        found.update(zip(row.targets, targets, strict=True))
        steps.append(Step(row.sources, row.targets, row.op, shapes, targets))
    _check_shapes(found, failures, spec, {t: r for r in rows for t in r.targets}, source, where)
    return Plan(tuple(steps), dropped)


def export_plan(rows: Sequence[Row], spec: CLIPSpec) -> Plan:
    """The way back for a model that never was foreign: from the native tensors of ``spec``.

    Raises:
        MappingError: the format has no place for one of them, or an operation can't take it.
    """
    shapes = native_shapes(spec)
    _check_table(rows, shapes)
    steps = []
    for row in rows:
        back = row.op.inverse()
        native = tuple(shapes[key] for key in row.targets)
        try:
            foreign = tuple(back.shapes(native))
        except ShapeError as error:
            raise MappingError(f"{row.targets[0]} has shape {list(native[0])}: {error}") from None
        steps.append(Step(row.targets, row.sources, back, native, foreign))
    return Plan(tuple(steps), ())


def _check_table(rows: Iterable[Row], target: Mapping[str, Shape]) -> None:
    """The rows are injective and make the whole target: a fault here is the table's."""
    rows = list(rows)
    for side, keys in (
        ("source", Counter(key for row in rows for key in row.sources)),
        ("target", made := Counter(key for row in rows for key in row.targets)),
    ):
        twice = [key for key, count in keys.items() if count > 1]
        if twice:
            raise MappingError(f"the table claims the {side} {twice[0]} twice")
    if made.keys() != target.keys():
        odd = sorted(made.keys() ^ target.keys())
        raise MappingError(f"this format has no place for {odd[0]}")


def _check_keys(needed: Sequence[str], present: Sequence[str], where: object) -> None:
    known, there = set(needed), set(present)
    missing = [key for key in needed if key not in there]
    extra = [key for key in present if key not in known]
    if not missing and not extra:
        return
    lines = []
    for word, keys, others in (
        ("missing", missing, extra),
        ("not expected", extra, missing or needed),
    ):
        for key in keys[:LISTED]:
            near = get_close_matches(key, others[:COMPARED], n=1, cutoff=0.7)
            lines.append(
                f"  {word}: {shown(key)}" + (f"; nearest: {shown(near[0])}" if near else "")
            )
        if len(keys) > LISTED:
            lines.append(f"  {word}: and {len(keys) - LISTED} more")
    raise MappingError(
        f"{len(missing)} tensors are missing and {len(extra)} are not expected",
        where=where,
        remedy="\n".join([*lines, "Check that the configuration belongs to these weights."]),
    )


def _check_shapes(
    found: Mapping[str, Shape],
    failures: list[str],
    spec: CLIPSpec,
    row_of: Mapping[str, Row],
    source: Mapping[str, Shape],
    where: object,
) -> None:
    """A dimension that every tensor gives alike is the configuration's fault; else one tensor's."""
    dims, layout, shapes = dimensions(spec), native_layout(spec), native_shapes(spec)
    votes: dict[str, set[int]] = {}
    for key, shape in found.items():
        if len(shape) == len(layout[key]):
            for dim, value in zip(layout[key], shape, strict=True):
                if isinstance(dim, str):
                    votes.setdefault(dim, set()).add(value)
    for dim, stated in dims.items():
        values = votes.get(dim, set())
        if not failures and len(values) == 1 and values != {stated}:
            raise ConfigError(
                f"the configuration says {dim} {stated}, and the tensors say {values.pop()}",
                where=where,
            )
    for key, shape in found.items():
        if shape != shapes[key]:
            sources = ", ".join(f"{name} {list(source[name])}" for name in row_of[key].sources)
            failures.append(f"{sources} gives {key} {list(shape)}; {list(shapes[key])} is expected")
    if failures:
        more = f" (and {len(failures) - 1} more)" if len(failures) > 1 else ""
        raise MappingError(f"wrong shape: {failures[0]}{more}", where=where)
