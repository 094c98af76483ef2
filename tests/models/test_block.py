from __future__ import annotations

import math

import numpy as np
import pytest

from zoo.models.block import ACTIVATIONS, Attention, Transformer, has_fused_kernel, pick
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
paddle = import_paddle()
EPS = 2.0**-23


def test_activations_are_what_their_names_say():
    x = np.linspace(-6, 6, 1001)
    phi = np.array([(1 + math.erf(v / math.sqrt(2))) / 2 for v in x])
    exact = {"gelu": x * phi, "quick_gelu": x / (1 + np.exp(-1.702 * x))}
    for name, activate in ACTIVATIONS.items():
        ours = activate(paddle.to_tensor(x, dtype="float32")).numpy()
        # The factors beside x are at most 1: a few roundings of numbers of the size of x.
        assert np.abs(ours - exact[name]).max() <= 4 * EPS * 6, name


def test_attention_is_the_formula(spec):
    attention = Attention(spec.vision)
    x = paddle.randn([2, 5, 39])
    w = {k: v.numpy().astype(np.float64) for k, v in attention.state_dict().items()}
    heads = [
        (x.numpy() @ w[f"{p}_proj.weight"] + w[f"{p}_proj.bias"]).reshape(2, 5, 3, 13)
        for p in "qkv"
    ]
    q, k, v = (head.transpose(0, 2, 1, 3) for head in heads)
    scores = np.exp(q @ k.transpose(0, 1, 3, 2) / math.sqrt(13))
    mixed = (scores / scores.sum(-1, keepdims=True)) @ v
    expected = mixed.transpose(0, 2, 1, 3).reshape(2, 5, 39) @ w["out_proj.weight"]
    expected += w["out_proj.bias"]
    error = np.abs(attention(x).numpy() - expected).max()
    assert error <= 39 * EPS * np.abs(expected).max()  # sums of 39 terms


@pytest.mark.parametrize("causal", [False, True])
def test_one_kernel_computes_the_same(spec, monkeypatch, causal):
    """The kernel itself needs a GPU; its plain form shows that Paddle is asked for the same."""
    attention = Attention(spec.text)
    x = paddle.randn([2, 6, 33])
    mask = paddle.full([6, 6], float("-inf")).triu(1) if causal else None
    by_hand = attention(x, mask).numpy()
    monkeypatch.setattr("zoo.models.block.has_fused_kernel", lambda q: True)
    error = np.abs(attention(x, mask).numpy() - by_hand).max()
    assert error <= 2 * 33 * EPS * np.abs(by_hand).max()  # twice: sums of 33 terms


def test_no_kernel_is_asked_for_on_cpu():
    for dtype in ("float32", "float16", "bfloat16"):
        assert not has_fused_kernel(paddle.zeros([1, 2, 3, 4], dtype))


def gradients(transformer, x):
    transformer.clear_gradients()
    transformer(x).square().sum().backward()
    return [parameter.grad.numpy() for parameter in transformer.parameters()]


@pytest.mark.parametrize("needs_grad", [True, False], ids=["whole model", "frozen embeddings"])
def test_recomputing_changes_no_gradient(spec, needs_grad):
    transformer = Transformer(spec.text)
    x = paddle.randn([2, 6, 33])
    x.stop_gradient = not needs_grad
    kept = gradients(transformer, x)
    transformer.recompute = True
    calls = []
    hook = transformer.resblocks[0].mlp.register_forward_post_hook(lambda *_: calls.append(1))
    again = gradients(transformer, x)
    hook.remove()
    assert len(calls) == 2, "once forward, once more for the backward pass"
    for a, b in zip(kept, again, strict=True):
        np.testing.assert_array_equal(a, b)


def test_no_gradient_no_recomputing(spec):
    transformer = Transformer(spec.text)
    transformer.recompute = True
    x = paddle.randn([2, 6, 33])
    with paddle.no_grad():
        recomputed = transformer(x).numpy()
        transformer.recompute = False
        np.testing.assert_array_equal(recomputed, transformer(x).numpy())


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("causal", [False, True])
def test_one_token_of_each_row_is_what_all_would_give(spec, causal, recompute):
    transformer = Transformer(spec.text)
    transformer.recompute = recompute
    mask = paddle.full([6, 6], float("-inf")).triu(1) if causal else None
    at = paddle.to_tensor([5, 0, 3]).reshape([-1, 1, 1])

    def computed(whole):
        paddle.seed(0)
        x = paddle.randn([3, 6, 33])
        x.stop_gradient = False
        transformer.clear_gradients()
        found = pick(transformer(x, mask), at) if whole else transformer(x, mask, at)
        found.square().sum().backward()
        gradients = {name: p.grad.numpy() for name, p in transformer.named_parameters()}
        return {"found": found.numpy(), "x": x.grad.numpy(), **gradients}

    expected, found = computed(whole=True), computed(whole=False)
    assert found["found"].shape == (3, 1, 33)
    largest = max(np.abs(array).max() for array in expected.values())
    for name, array in expected.items():
        # A key bias has no gradient but rounding.
        scale = largest if name.endswith("k_proj.bias") else np.abs(array).max()
        error = np.abs(found[name] - array).max()
        assert error <= 3 * 162 * EPS * scale, name  # sums of up to 162 terms, in three blocks


def test_the_last_block_computes_for_that_token_alone(spec):
    transformer = Transformer(spec.text)
    seen = []
    for block in transformer.resblocks:
        block.mlp.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape[1]))
    transformer(paddle.randn([2, 6, 33]), at=paddle.zeros([2, 1, 1], "int64"))
    assert seen == [6, 6, 1]
