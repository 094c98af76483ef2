from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.errors import UsageError
from zoo.models.clip import CLIP
from zoo.models.initialize import initialize
from zoo.models.text import TextTower
from zoo.runtime import import_paddle
from zoo.spec.layout import native_shapes
from zoo.verify.tolerance import EPS

pytestmark = pytest.mark.paddle
paddle = import_paddle()


@pytest.fixture
def model(variant) -> CLIP:
    model = initialize(CLIP(variant), 0)
    model.eval()
    return model


def test_names_and_shapes_are_the_native_ones(variant):
    state = CLIP(variant).state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == native_shapes(variant)


def test_a_model_without_weights_does_not_compute(spec, inputs):
    with pytest.raises(UsageError, match="no weights"):
        CLIP(spec).encode_image(inputs[0])


def test_arrays_and_tensors_give_the_same(model, inputs):
    for encode, array in zip((model.encode_image, model.encode_text), inputs, strict=True):
        np.testing.assert_array_equal(
            encode(array).numpy(), encode(paddle.to_tensor(array)).numpy()
        )


def test_normalised_means_length_one(model, inputs):
    for encode, array in zip((model.encode_image, model.encode_text), inputs, strict=True):
        plain, unit = encode(array).numpy(), encode(array, normalize=True).numpy()
        length = np.linalg.norm(plain, axis=1, keepdims=True)
        assert not np.allclose(length, 1)
        np.testing.assert_allclose(unit, plain / length, rtol=21 * EPS, atol=0)  # a sum of 21


def test_forward_is_both_towers_and_the_scale(model, inputs):
    image, text, scale = model(*inputs)
    np.testing.assert_array_equal(image, model.encode_image(inputs[0], normalize=True))
    np.testing.assert_array_equal(text, model.encode_text(inputs[1], normalize=True))
    np.testing.assert_allclose(scale.numpy(), [1 / 0.07], rtol=4 * EPS)


def test_text_is_cut_at_its_last_end_token(model, inputs):
    seen = []
    hook = model.transformer.register_forward_pre_hook(lambda _, x: seen.append(x[0].shape[1]))
    cut = model.encode_text(inputs[1]).numpy()
    whole = TextTower.forward(model, paddle.to_tensor(inputs[1])).numpy()
    hook.remove()
    assert seen == [9, 13]
    assert np.abs(whole - cut).max() <= 4 * EPS * np.abs(whole).max()


def test_inputs_of_another_shape_are_refused(model, inputs):
    pixels, tokens = inputs
    with pytest.raises(UsageError, match=r"\[4, 3, 28, 35\].*\[3, 35, 28\]"):
        model.encode_image(pixels.transpose(0, 1, 3, 2))
    with pytest.raises(UsageError, match="at most 13"):
        model.encode_text(np.concatenate([tokens, tokens], axis=1))
    with pytest.raises(UsageError, match=r"\[13\]"):
        model.encode_text(tokens[0])


def test_texts_and_paths_are_told_what_comes_before(model, inputs):
    """What is no array of numbers, or of the wrong ones, is not left to Paddle's own errors."""
    for texts in (["a"], "a", [[1, 2], [3]], None, inputs[1].astype(np.float32)):
        with pytest.raises(UsageError, match=r"model\.encode_text\(tokenizer\("):
            model.encode_text(texts)
    for picture in ("cat.jpg", ["cat.jpg"], None, np.zeros((28, 35, 3), np.uint8)):
        with pytest.raises(UsageError, match=r"preprocess\(image\)\[None\]"):
            model.encode_image(picture)


def test_one_tower_alone(spec, inputs):
    pixels, tokens = inputs
    image = initialize(CLIP(replace(spec, text=None)), 0)
    text = initialize(CLIP(replace(spec, vision=None)), 0)
    assert set(image.state_dict()) == set(native_shapes(image.spec))
    assert set(text.state_dict()) == set(native_shapes(text.spec))
    assert image.encode_image(pixels).shape == [4, 21]
    assert text.encode_text(tokens).shape == [5, 21]
    with pytest.raises(UsageError, match="no text tower"):
        image.encode_text(tokens)
    with pytest.raises(UsageError, match="no text tower"):
        image.build_zero_shot_classifier(["a"], ["{}"])
    with pytest.raises(UsageError, match="no image tower"):
        text.encode_image(pixels)


def test_an_optimizer_trains_it(spec, inputs):
    """Every parameter moves and the loss falls: nothing is cut off from the gradient."""
    model = initialize(CLIP(spec), 0)
    before = {name: p.numpy().copy() for name, p in model.named_parameters()}
    optimizer = paddle.optimizer.AdamW(1e-3, parameters=model.parameters())
    losses = []
    for _ in range(5):
        image, text, scale = model(inputs[0], inputs[1][:4])
        loss = paddle.nn.functional.cross_entropy(scale * image @ text.T, paddle.arange(4))
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
        losses.append(float(loss))
    assert losses[-1] < losses[0] / 2
    for name, parameter in model.named_parameters():
        assert (parameter.numpy() != before[name]).any(), name


def test_state_survives_paddles_own_saving(spec, inputs, tmp_path):
    model = initialize(CLIP(spec), 0)
    paddle.save(model.state_dict(), str(tmp_path / "model.pdparams"))
    other = initialize(CLIP(spec), 1)
    missing, unexpected = other.set_state_dict(paddle.load(str(tmp_path / "model.pdparams")))
    assert not missing and not unexpected
    np.testing.assert_array_equal(model.encode_image(inputs[0]), other.encode_image(inputs[0]))


@pytest.mark.filterwarnings("ignore:No ccache found", "ignore:Tensor do not have 'place'")
def test_a_compiled_model_trains_as_the_eager_one(spec, inputs):
    """Paddle's tracer (paddle.jit.to_static) stumbles over closures, and over devices."""
    model = initialize(CLIP(spec), 0)

    def gradients(forward):
        model.clear_gradients()
        images, texts, scale = forward(*map(paddle.to_tensor, inputs))
        (scale * images @ texts.T).trace().backward()
        return {name: p.grad.numpy() for name, p in model.named_parameters()}

    expected = gradients(model.forward)
    found = gradients(paddle.jit.to_static(model.forward, backend=None))
    for name, gradient in expected.items():
        np.testing.assert_array_equal(found[name], gradient, err_msg=name)
