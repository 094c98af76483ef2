from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.convert.ops import Copy, Transpose
from zoo.convert.tables import FORMATS, PADDLENLP, Format, Row, digest, recognise, rows_for
from zoo.spec import CLIPSpec
from zoo.spec.layout import native_shapes

ALL = (*FORMATS, PADDLENLP)
with_every_format = pytest.mark.parametrize("form", ALL, ids=lambda form: form.name)


def possible(spec: CLIPSpec, form: Format) -> CLIPSpec:
    """The specification without what the format has no place for."""
    assert spec.vision and spec.text
    if not form.vision_layer_scale:
        spec = replace(spec, vision=replace(spec.vision, layer_scale=None))
    if not form.text_layer_scale:
        spec = replace(spec, text=replace(spec.text, layer_scale=None))  # type: ignore[type-var]
    return spec


def changed(form: Format) -> Iterator[Format]:
    """The format with one thing of it changed, in every way there is."""
    for field in fields(form):
        value = getattr(form, field.name)
        if isinstance(value, str):
            changes: dict[str, Any] = {field.name: value + "x"}
            yield replace(form, **changes)
        elif isinstance(value, frozenset):
            changes = {field.name: value | {"x"}}
            yield replace(form, **changes)
        elif field.name == "scale_shape":
            yield replace(form, scale_shape=(2,))
        else:
            for index, row in enumerate(value):
                for other in variants(row) if isinstance(row, Row) else ((*row, "x"),):
                    changes = {field.name: (*value[:index], other, *value[index + 1 :])}
                    yield replace(form, **changes)


def variants(row: Row) -> Iterator[Row]:
    yield replace(row, op=Transpose() if row.op == Copy() else Copy())
    yield replace(row, sources=("x", *row.sources[1:]))
    yield replace(row, targets=(*row.targets[:-1], "x"))


@with_every_format
@given(data=st.data())
def test_every_source_is_claimed_once_and_every_target_made_once(
    form: Format, specs: st.SearchStrategy[CLIPSpec], data: st.DataObject
) -> None:
    spec = possible(data.draw(specs), form)
    rows = rows_for(form, spec)
    sources = [key for row in rows for key in row.sources]
    targets = [key for row in rows for key in row.targets]
    assert len(sources) == len(set(sources))
    assert sorted(targets) == sorted(native_shapes(spec))


@with_every_format
def test_keys_are_whole(form: Format) -> None:
    """Names of one tensor each: no pattern but the block's number."""
    rows = [row for f in fields(form) for row in getattr(form, f.name) if isinstance(row, Row)]
    assert len(rows) > 20
    for row in rows:
        for key in (*row.sources, *row.targets):
            assert re.fullmatch(r"[a-z_0-9]+(\.([a-z_0-9]+|\{i\}))*", key), key


@with_every_format
@given(data=st.data())
def test_a_format_is_recognised_by_its_own_keys_alone(
    form: Format, specs: st.SearchStrategy[CLIPSpec], data: st.DataObject
) -> None:
    spec = possible(data.draw(specs), form)
    keys = [key for row in rows_for(form, spec) for key in row.sources]
    told = [f for f in ALL if any(set(signature) <= set(keys) for signature in f.signatures)]
    assert told == [form]
    if form in FORMATS:
        assert recognise(keys) is form


def test_what_has_no_signature_is_not_recognised() -> None:
    assert recognise([]) is None
    assert recognise(["visual.conv1.weight", "logit_scale"]) is None


def test_attention_is_split_into_q_k_and_v_in_this_order(tiny_spec: CLIPSpec) -> None:
    for form in FORMATS[:2]:
        packed = [row for row in rows_for(form, tiny_spec) if "in_proj" in row.sources[0]]
        assert len(packed) == 2 * (3 + 2)  # weight and bias, in three and two layers
        for row in packed:
            assert [re.findall(r"attn\.(.)_proj", key) for key in row.targets] == [
                ["q"],
                ["k"],
                ["v"],
            ]
            assert "Split(parts=3)" in repr(row.op)


@with_every_format
def test_the_digest_changes_with_every_row(form: Format) -> None:
    others = [digest(other) for other in changed(form)]
    assert len(others) > 60
    assert len({digest(form), *others}) == len(others) + 1


def test_formats_have_digests_of_their_own() -> None:
    assert len({digest(form) for form in ALL}) == len(ALL)


def test_the_digest_is_the_same_in_every_process() -> None:
    code = "from zoo.convert.tables import OPEN_CLIP, digest; print(digest(OPEN_CLIP))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert digests == {digest(FORMATS[0])}


@pytest.mark.parametrize("shape", [(), (1,)])
def test_the_logit_scale_becomes_one_number_in_a_row(
    tiny_spec: CLIPSpec, shape: tuple[int, ...]
) -> None:
    row = rows_for(FORMATS[0], tiny_spec, scale_shape=shape)[-1]
    assert row.sources == row.targets == ("logit_scale",)
    assert row.op.shapes([shape]) == [(1,)]


def test_one_tower_alone_has_its_own_rows(tiny_spec: CLIPSpec) -> None:
    for half in (replace(tiny_spec, text=None), replace(tiny_spec, vision=None)):
        targets = [key for row in rows_for(FORMATS[0], half) for key in row.targets]
        assert sorted(targets) == sorted(native_shapes(half))
