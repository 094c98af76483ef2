from __future__ import annotations

import json
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest

from zoo.errors import ConfigError, MappingError, UsageError
from zoo.models.loading import load_checkpoint
from zoo.models.positions import resize_image_positions, resize_text_positions
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()


def state(model) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def test_every_tensor_arrives(variant, make_weights, write_checkpoint):
    weights = make_weights(variant)
    model = load_checkpoint(write_checkpoint(variant, weights))
    assert not model.training and model.spec == variant
    loaded = state(model)
    assert loaded.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_array_equal(loaded[name], array)


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_half_precision_is_widened(dtype, spec, make_weights, write_checkpoint):
    weights = {name: array.astype(dtype) for name, array in make_weights(spec).items()}
    loaded = state(load_checkpoint(write_checkpoint(spec, weights)))
    for name, array in weights.items():
        assert loaded[name].dtype == np.float32
        np.testing.assert_array_equal(loaded[name], array.astype(np.float32))


def test_missing_and_unknown_names(spec, make_weights, write_checkpoint):
    weights = make_weights(spec)
    weights["visual.ln_past.weight"] = weights.pop("visual.ln_post.weight")
    with pytest.raises(MappingError) as caught:
        load_checkpoint(write_checkpoint(spec, weights))
    assert "missing: visual.ln_post.weight (nearest: visual.ln_past.weight)" in str(caught.value)
    assert "visual.ln_past.weight (nearest: visual.ln_post.weight)" in str(caught.value)


@pytest.mark.parametrize("alter", ["one missing", "one more"])
def test_one_name_too_few_or_too_many(alter, spec, make_weights, write_checkpoint):
    weights = make_weights(spec)
    if alter == "one missing":
        del weights["ln_final.bias"]
    else:
        weights["logit_bias"] = np.zeros(1, np.float32)
    with pytest.raises(MappingError, match=r"ln_final\.bias|logit_bias"):
        load_checkpoint(write_checkpoint(spec, weights))


def test_a_wrong_shape(spec, make_weights, write_checkpoint):
    weights = make_weights(spec)
    weights["visual.proj"] = weights["visual.proj"].T.copy()
    with pytest.raises(MappingError, match=r"visual\.proj .*\[21, 39\].*\[39, 21\]"):
        load_checkpoint(write_checkpoint(spec, weights), interpolate=True)


def test_positions_of_another_width_are_no_resizing(spec, make_weights, write_checkpoint):
    weights = make_weights(spec)
    weights["positional_embedding"] = np.zeros((13, 34), np.float32)
    with pytest.raises(MappingError, match="positional_embedding"):
        load_checkpoint(write_checkpoint(spec, weights), interpolate=True)


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_positions_of_another_size(tower, spec, make_weights, write_checkpoint):
    stored_spec = replace(
        spec,
        vision=replace(spec.vision, image_size=(28, 28)) if tower == "vision" else spec.vision,
        text=replace(spec.text, context_length=9) if tower == "text" else spec.text,
    )
    weights = make_weights(stored_spec)
    folder = write_checkpoint(spec, weights)
    counts = "17 positions.* 21" if tower == "vision" else "9 positions.* 13"
    with pytest.raises(ConfigError, match=counts) as caught:
        load_checkpoint(folder)
    assert "interpolate=True" in str(caught.value)

    loaded = state(load_checkpoint(folder, interpolate=True))
    name = "visual.positional_embedding" if tower == "vision" else "positional_embedding"
    resized = (
        resize_image_positions(weights[name], (5, 4))
        if tower == "vision"
        else resize_text_positions(weights[name], 13)
    )
    np.testing.assert_array_equal(loaded[name], resized.astype(np.float32))


def test_another_specification_than_the_files(spec, make_weights, write_checkpoint, inputs):
    folder = write_checkpoint(spec, make_weights(spec))
    other = replace(spec, vision=replace(spec.vision, activation="quick_gelu"))
    altered = load_checkpoint(folder, spec=other)
    assert altered.spec == other
    plain = load_checkpoint(folder).encode_image(inputs[0]).numpy()
    assert np.abs(altered.encode_image(inputs[0]).numpy() - plain).max() > 1e-3


def test_what_the_processor_can_not_do(spec, make_weights, write_checkpoint):
    folder = write_checkpoint(spec, make_weights(spec))
    with pytest.raises(UsageError, match="float8 is none of"):
        load_checkpoint(folder, dtype="float8")
    with pytest.raises(UsageError, match="CPU does not multiply bfloat16"):
        load_checkpoint(folder, dtype="bfloat16", device="cpu")
    with pytest.raises(UsageError, match="no device 'abacus'"):
        load_checkpoint(folder, device="abacus")
    assert load_checkpoint(folder, device="cpu").logit_scale.place.is_cpu_place()


def test_a_config_that_contradicts_the_tensors(spec, make_weights, write_checkpoint):
    folder = write_checkpoint(spec, make_weights(spec))
    config = json.loads((folder / "config.json").read_text())
    config["text_cfg"]["vocab_size"] = 98
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(MappingError, match=r"token_embedding\.weight .*\[97, 33\].*\[98, 33\]"):
        load_checkpoint(folder)
