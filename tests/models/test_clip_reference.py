"""CLIP against open_clip: tiny twins with the same weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from zoo.models.clip import CLIP
from zoo.models.loading import load_checkpoint
from zoo.runtime import import_paddle
from zoo.verify.compare import relative_rms
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.tolerance import EPS, FACTOR, parity_bound

pytestmark = [pytest.mark.paddle, pytest.mark.reference]
paddle = import_paddle()


LOSS_SEEDS = 4


def error_and_bound(ours, float32, float64) -> tuple[float, float]:
    """Our relative RMS error against float64, and what the ladder would allow."""
    exact = np.asarray(float64, np.float64)
    return relative_rms(ours, exact), parity_bound(relative_rms(np.asarray(float32), exact))


def test_outputs_lie_in_the_band(variant, open_clip_twin, write_checkpoint, inputs):
    theirs, weights = open_clip_twin(variant)
    ours = load_checkpoint(write_checkpoint(variant, weights))
    pixels, tokens = inputs
    with torch.no_grad(), paddle.no_grad():
        float32 = theirs(torch.tensor(pixels), torch.tensor(tokens))
        float64 = theirs.double()(torch.tensor(pixels).double(), torch.tensor(tokens))
        for mine, single, double in zip(ours(pixels, tokens), float32, float64, strict=True):
            error, bound = error_and_bound(mine.numpy().reshape(double.shape), single, double)
            assert error <= bound


def test_features_keep_their_length_unless_asked(open_clip_twin, write_checkpoint, spec, inputs):
    theirs, weights = open_clip_twin(spec)
    ours = load_checkpoint(write_checkpoint(spec, weights))
    pixels, tokens = inputs
    with torch.no_grad(), paddle.no_grad():
        single = theirs.encode_image(torch.tensor(pixels)), theirs.encode_text(torch.tensor(tokens))
        theirs.double()
        pair = (
            (
                ours.encode_image(pixels),
                single[0],
                theirs.encode_image(torch.tensor(pixels).double()),
            ),
            (ours.encode_text(tokens), single[1], theirs.encode_text(torch.tensor(tokens))),
        )
        for mine, float32, float64 in pair:
            error, bound = error_and_bound(mine.numpy(), float32, float64)
            assert error <= bound


def torch_gradients(model, pixels, tokens):
    image, text, scale = model(pixels, torch.tensor(tokens))
    logits = scale * image @ text.T
    labels = torch.arange(len(image))
    model.zero_grad()
    loss = torch.nn.functional.cross_entropy
    (loss(logits, labels) + loss(logits.T, labels)).backward()
    return {name: parameter.grad.numpy().copy() for name, parameter in model.named_parameters()}


def paddle_gradients(model, pixels, tokens):
    image, text, scale = model(pixels, tokens)
    logits = scale * image @ text.T
    labels = paddle.arange(len(image))
    model.clear_gradients()
    loss = paddle.nn.functional.cross_entropy
    (loss(logits, labels) + loss(logits.T, labels)).backward()
    return {name: parameter.grad.numpy() for name, parameter in model.named_parameters()}


def test_gradients_are_as_near_to_float64_as_torchs(variant, open_clip_twin, to_open_clip, inputs):
    """One draw of rounding errors spreads by a factor of two or so: all of a backward pass comes
    from one loss. So the draws are several, and their geometric mean is held against the band."""
    pixels, tokens = inputs[0], inputs[1][:4]
    ratios = []
    for seed in range(LOSS_SEEDS):
        theirs, weights = open_clip_twin(variant, seed)
        ours = CLIP(variant)
        for name, parameter in ours.named_parameters():
            parameter.set_value(weights[name])
        mine = paddle_gradients(ours, pixels, tokens)
        single = torch_gradients(theirs, torch.tensor(pixels), tokens)
        double = torch_gradients(theirs.double(), torch.tensor(pixels).double(), tokens)
        check_key_biases(mine)
        mine = to_open_clip(mine)
        squares = np.array(
            [
                [
                    relative_rms(without_keys(name, g[name]), without_keys(name, exact)) ** 2
                    for g in (mine, single)
                ]
                for name, exact in double.items()
            ]
        )
        ratios.append(np.sqrt(squares[:, 0].mean() / squares[:, 1].mean()))
    assert np.exp(np.log(ratios).mean()) <= FACTOR


def check_key_biases(gradients) -> None:
    """Softmax does not see the key bias: its gradient is the rounding of a sum of at most n terms,
    none of them larger than the layer's largest gradient."""
    for name in gradients:
        if name.endswith("k_proj.bias"):
            layer = name.removesuffix("k_proj.bias")
            largest = max(abs(g).max() for other, g in gradients.items() if other.startswith(layer))
            terms = 4 * 21  # pictures * tokens; texts are shorter
            assert abs(gradients[name]).max() <= terms * EPS * largest


def without_keys(name: str, gradient: np.ndarray) -> np.ndarray:
    if not name.endswith("in_proj_bias"):
        return gradient
    queries, _, values = np.split(gradient, 3)
    return np.concatenate([queries, values])


def test_classifier_lies_in_the_band(open_clip_twin, spec):
    spec = replace(spec, text=replace(spec.text, context_length=77, vocab_size=49408))
    theirs, weights = open_clip_twin(spec)
    ours = CLIP(spec)
    for name, parameter in ours.named_parameters():
        parameter.set_value(weights[name])
    names = ["tench", "great white shark", "missile", "sunglasses", "missile"]
    templates = ["a photo of a {}.", "itap of my {}, the best of all there are"]
    tokenizer = open_clip.SimpleTokenizer()
    single = open_clip.build_zero_shot_classifier(theirs, tokenizer, names, templates)
    double = open_clip.build_zero_shot_classifier(theirs.double(), tokenizer, names, templates)
    error, bound = error_and_bound(
        ours.build_zero_shot_classifier(names, templates, batch_size=3).numpy(), single, double
    )
    assert error <= bound
