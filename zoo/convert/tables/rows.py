"""What a table is made of: rows between complete keys, and a format that is a set of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields

from zoo.convert.ops import Chain, Concat, Copy, Op, Reshape, Same, Shape, Transpose
from zoo.spec import CLIPSpec, TowerSpec

VISION_BLOCK = "visual.transformer.resblocks.{i}."  # a native block's keys begin like this
TEXT_BLOCK = "transformer.resblocks.{i}."
LAYER_SCALE = ("ls_1.gamma", "ls_2.gamma")
SCALE = "logit_scale"  # of this name in every format


@dataclass(frozen=True)
class Row:
    """``sources`` of the foreign format become the native ``targets``."""

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    op: Op


@dataclass(frozen=True, kw_only=True)
class Format:
    """One foreign layout of CLIP's tensors.

    A checkpoint that holds all keys of one of ``signatures`` is of this format; no two formats
    share one. The rows of a block are templates; rows that a format has no place for are absent.
    """

    name: str
    family: str  # whose configuration and files it comes with
    signatures: tuple[tuple[str, ...], ...]
    vision: tuple[Row, ...]
    ln_pre: tuple[Row, ...]
    vision_block: tuple[Row, ...]
    vision_layer_scale: tuple[Row, ...] = ()
    text: tuple[Row, ...]
    text_block: tuple[Row, ...]
    text_layer_scale: tuple[Row, ...] = ()
    scale_shape: Shape  # of the logit scale, as the format's own code writes it
    dropped: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()  # what the keys of each rank's file begin with, where ranks wrote
    split: tuple[tuple[str, int], ...] = ()  # ends of keys that ranks share, and the axis they cut


def part_names(count: int) -> tuple[str, ...]:
    """What keys begin with when they come from ``count`` ranks' files."""
    return tuple(f"tp{part:02}-of-{count:02}." for part in range(count))


def copied(foreign: str, native: str) -> Row:
    """A tensor that only changes its name."""
    return Row((foreign,), (native,), Copy())


def transposed(foreign: str, native: str) -> Row:
    """A matrix that lies the other way round."""
    return Row((foreign,), (native,), Transpose())


def same(prefix: str, *names: str, to: str = "") -> tuple[Row, ...]:
    """Tensors of the same names under another prefix."""
    return tuple(copied(prefix + name, to + name) for name in names)


def module(foreign: str, native: str) -> tuple[Row, ...]:
    """Weight and bias of a module, as they are."""
    return tuple(copied(f"{foreign}.{part}", f"{native}.{part}") for part in ("weight", "bias"))


def torch_linear(foreign: str, native: str) -> tuple[Row, ...]:
    """torch's Linear keeps its weight as [out, in], Paddle's as [in, out]."""
    return (
        transposed(f"{foreign}.weight", f"{native}.weight"),
        copied(f"{foreign}.bias", f"{native}.bias"),
    )


def rows_for(form: Format, spec: CLIPSpec, *, scale_shape: Shape | None = None) -> list[Row]:
    """The rows of every tensor of ``spec``, with the blocks' numbers filled in.

    Args:
        form: the foreign format.
        spec: what the checkpoint is said to hold.
        scale_shape: the shape the foreign side gives its logit scale, [] or [1]; None: the
            format's own.
    """
    rows: list[Row] = []
    if spec.vision is not None:
        rows += form.vision
        rows += form.ln_pre if spec.vision.ln_pre else ()
        rows += _blocks(form.vision_block, form.vision_layer_scale, spec.vision)
    if spec.text is not None:
        rows += form.text
        rows += _blocks(form.text_block, form.text_layer_scale, spec.text)
    if spec.vision is not None and spec.text is not None:
        shape = form.scale_shape if scale_shape is None else scale_shape
        rows.append(Row((SCALE,), (SCALE,), Reshape(shape, (1,))))
    return rows if not form.parts else [_joined(row, form) for row in rows]


def _joined(row: Row, form: Format) -> Row:
    """The row for the parts of its one source: put together, or all alike."""
    (source,) = row.sources
    axis = next((axis for end, axis in form.split if source.endswith(end)), None)
    count = len(form.parts)
    rows, alike = Concat(count), Same(count)
    join: dict[int | None, tuple[Op, ...]] = {
        None: (alike,),
        0: (rows,),
        1: (Transpose(), rows, Transpose()),
    }
    sources = tuple(part + source for part in form.parts)
    return Row(sources, row.targets, Chain((*join[axis], row.op)))


def _blocks(block: tuple[Row, ...], layer_scale: tuple[Row, ...], tower: TowerSpec) -> list[Row]:
    templates = block if tower.layer_scale is None else (*block, *layer_scale)
    return [
        Row(_numbered(row.sources, index), _numbered(row.targets, index), row.op)
        for index in range(tower.layers)
        for row in templates
    ]


def _numbered(keys: tuple[str, ...], index: int) -> tuple[str, ...]:
    return tuple(key.replace("{i}", str(index)) for key in keys)


def digest(form: Format) -> str:
    """sha256 over the table's text: it changes when a row does."""
    text = "\n".join(
        f"{field.name}: {value}"
        for field in fields(form)
        for value in (
            sorted(form.dropped) if field.name == "dropped" else getattr(form, field.name)
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()
