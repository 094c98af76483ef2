from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from zoo.convert.ops import Copy, Transpose
from zoo.convert.plan import Plan, Step, export_plan, make_plan
from zoo.convert.tables import OPEN_CLIP, OPEN_CLIP_CUSTOM_TEXT, Row, rows_for
from zoo.errors import ConfigError, MappingError, ZooError
from zoo.spec import CLIPSpec
from zoo.spec.layout import native_shapes

Tensors = dict[str, NDArray[Any]]
Build = Callable[..., Tensors]
PACKINGS = {"": OPEN_CLIP, "text.": OPEN_CLIP_CUSTOM_TEXT}
packed = pytest.mark.parametrize("text", PACKINGS, ids=["CLIP", "CustomTextCLIP"])
scaled = pytest.mark.parametrize("scale", [(), (1,)], ids=["[]", "[1]"])


def plan(spec: CLIPSpec, tensors: Tensors, text: str = "", scale: tuple[int, ...] = ()) -> Plan:
    form = PACKINGS[text]
    rows = rows_for(form, spec, scale_shape=scale)
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    return make_plan(rows, shapes, spec, droppable=form.dropped, where="weights.bin")


def apply(plan: Plan, tensors: Tensors) -> Tensors:
    made: Tensors = {}
    for step in plan.steps:
        targets = step.op.apply([tensors[key] for key in step.sources])
        made |= zip(step.targets, targets, strict=True)
    return made


@packed
@scaled
@given(data=st.data())
def test_every_element_arrives_at_its_place_and_comes_back(
    text: str,
    scale: tuple[int, ...],
    specs: st.SearchStrategy[CLIPSpec],
    open_clip_tensors: Build,
    expected_native: Callable[..., NDArray[Any]],
    data: st.DataObject,
) -> None:
    spec = data.draw(specs)
    tensors = open_clip_tensors(spec, text=text, scale_shape=scale)
    there = plan(spec, tensors, text, scale)
    native = apply(there, tensors)
    assert {name: tensor.shape for name, tensor in native.items()} == native_shapes(spec)
    for name, tensor in native.items():
        assert np.array_equal(tensor, expected_native(tensors, name, text=text)), name
    back = apply(there.inverse(), native)
    assert back.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert back[name].shape == tensor.shape
        assert back[name].tobytes() == tensor.tobytes(), name
    # The way back is known without a foreign checkpoint, too.
    assert export_plan(rows_for(PACKINGS[text], spec, scale_shape=scale), spec) == there.inverse()


def test_a_step_that_stays_as_it_is() -> None:
    step = Step.same("a", (2, 3))
    assert (step.sources, step.targets, step.op) == (("a",), ("a",), Copy())
    assert step.inverse() == step


@pytest.fixture(scope="module")
def tensors(tiny_spec: CLIPSpec, open_clip_tensors: Build) -> Tensors:
    return open_clip_tensors(tiny_spec)


def refused(kind: type[ZooError], spec: CLIPSpec, tensors: Tensors) -> str:
    with pytest.raises(kind) as caught:
        plan(spec, tensors)
    assert type(caught.value) is kind
    assert caught.value.where == "weights.bin"
    return str(caught.value)


def test_a_missing_key_is_named(tiny_spec: CLIPSpec, tensors: Tensors) -> None:
    short = {name: tensor for name, tensor in tensors.items() if name != "ln_final.bias"}
    text = refused(MappingError, tiny_spec, short)
    assert "1 tensors are missing and 0 are not expected" in text
    assert "missing: 'ln_final.bias'\n" in text


def test_an_extra_key_is_named_with_the_nearest(tiny_spec: CLIPSpec, tensors: Tensors) -> None:
    text = refused(MappingError, tiny_spec, tensors | {"ln_finale.bias": np.zeros(1)})
    assert "0 tensors are missing and 1 are not expected" in text
    assert "not expected: 'ln_finale.bias'; nearest: 'ln_final.bias'" in text


def test_a_misspelt_key_is_brought_together_with_what_is_missing(
    tiny_spec: CLIPSpec, tensors: Tensors
) -> None:
    renamed = {name.replace("class_embedding", "cls_embedding"): t for name, t in tensors.items()}
    text = refused(MappingError, tiny_spec, renamed)
    assert "missing: 'visual.class_embedding'; nearest: 'visual.cls_embedding'" in text
    assert "not expected: 'visual.cls_embedding'; nearest: 'visual.class_embedding'" in text


@pytest.mark.parametrize(("layers", "said"), [(4, "12 tensors are missing"), (2, "and 12 are not")])
def test_another_number_of_layers_is_a_matter_of_keys(
    tiny_spec: CLIPSpec, tensors: Tensors, layers: int, said: str
) -> None:
    assert tiny_spec.vision and tiny_spec.vision.layers == 3
    spec = replace(tiny_spec, vision=replace(tiny_spec.vision, layers=layers))
    text = refused(MappingError, spec, tensors)
    assert said in text
    assert "and 7 more" in text
    assert "configuration" in text


@pytest.mark.parametrize(
    ("name", "count"),
    [("\x1b[31m" + "x" * 10_000 + "{}", 1000), ("visual.resblocks.{}.bias", 200_000)],
)
def test_names_are_data_and_bounded(
    tiny_spec: CLIPSpec, tensors: Tensors, name: str, count: int
) -> None:
    scalar = np.zeros(())
    hostile = {name.format(number): scalar for number in range(count)}
    short = {key: tensor for key, tensor in tensors.items() if ".resblocks.2." not in key}
    started = time.process_time()
    text = refused(MappingError, tiny_spec, short | hostile)
    assert time.process_time() - started < 2
    assert len(text) < 2000
    assert "\x1b" not in text


def test_what_may_be_left_out_is_left_out(tiny_spec: CLIPSpec, tensors: Tensors) -> None:
    found = plan(tiny_spec, tensors | {"attn_mask": np.zeros((77, 77)), "vocab_size": np.zeros(())})
    assert found.dropped == ("attn_mask", "vocab_size")
    assert found.inverse().dropped == ()
    assert apply(found, tensors).keys() == native_shapes(tiny_spec).keys()


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("width", 160, "vision width 160, and the tensors say 80"),
        ("mlp_width", 320, "vision MLP width 320, and the tensors say 208"),
        ("image_size", (64, 64), "image positions 65, and the tensors say 17"),
        ("patch_size", (16, 8), "patch height 16, and the tensors say 8"),
    ],
)
def test_tensors_that_agree_contradict_the_configuration(
    tiny_spec: CLIPSpec, tensors: Tensors, field: str, value: Any, said: str
) -> None:
    assert tiny_spec.vision
    spec = replace(tiny_spec, vision=replace(tiny_spec.vision, **{field: value}))
    assert f"the configuration says {said}" in refused(ConfigError, spec, tensors)


def test_the_text_tower_and_the_embedding_are_held_against_the_configuration_too(
    tiny_spec: CLIPSpec, tensors: Tensors
) -> None:
    assert tiny_spec.text
    text = replace(tiny_spec.text, vocab_size=100)
    said = refused(ConfigError, replace(tiny_spec, text=text), tensors)
    assert "vocab_size 100, and the tensors say 49408" in said
    assert "embed_dim 64, and the tensors say 48" in refused(
        ConfigError, replace(tiny_spec, embed_dim=64), tensors
    )


@pytest.mark.parametrize(
    ("name", "shape", "said"),
    [
        ("visual.proj", (80, 47), "visual.proj [80, 47] gives visual.proj [80, 47]; [80, 48]"),
        ("visual.ln_post.bias", (81,), "[80] is expected"),
        (
            "transformer.resblocks.1.mlp.c_fc.weight",
            (32, 108),
            "c_fc.weight [32, 108] gives transformer.resblocks.1.mlp.c_fc.weight [108, 32]; "
            "[32, 108] is expected",
        ),
        ("transformer.resblocks.1.mlp.c_fc.weight", (108,), "only a matrix can be transposed"),
        ("transformer.resblocks.0.attn.in_proj_bias", (95,), "can't be split into 3"),
        ("ln_final.weight", (32, 1), "ln_final.weight [32, 1]"),
        ("logit_scale", (2,), "logit_scale has shape [2]"),
    ],
)
def test_one_wrong_shape_is_that_tensor_s_fault(
    tiny_spec: CLIPSpec, tensors: Tensors, name: str, shape: tuple[int, ...], said: str
) -> None:
    assert said in refused(MappingError, tiny_spec, tensors | {name: np.zeros(shape)})


def test_several_wrong_shapes_are_counted(tiny_spec: CLIPSpec, tensors: Tensors) -> None:
    wrong = {name: np.zeros(3) for name in ("ln_final.bias", "ln_final.weight", "visual.proj")}
    assert "(and 2 more)" in refused(MappingError, tiny_spec, tensors | wrong)


def test_a_table_that_is_no_bijection_is_found(tiny_spec: CLIPSpec, tensors: Tensors) -> None:
    rows = rows_for(OPEN_CLIP, tiny_spec, scale_shape=())
    shapes = {name: tensor.shape for name, tensor in tensors.items()}
    for broken, said in (
        ([*rows, Row((rows[0].sources[0],), ("x",), Copy())], "claims the source"),
        ([*rows, Row(("x",), (rows[0].targets[0],), Copy())], "claims the target"),
        ([*rows, Row(("x",), ("x",), Transpose())], "no place for x"),
        (rows[1:], f"no place for {rows[0].targets[0]}"),
    ):
        with pytest.raises(MappingError, match=said):
            make_plan(broken, shapes, tiny_spec, droppable=(), where=None)
        with pytest.raises(MappingError, match=said):
            export_plan(broken, tiny_spec)
