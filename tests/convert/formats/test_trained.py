"""A model trained in Paddle, exported, gives the same features in torch."""
# ruff: noqa: E402 - without torch or paddle there is nothing to import, and nothing to test

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.reference, pytest.mark.paddle]
pytest.importorskip("torch", reason="the extra `reference` is not installed")
pytest.importorskip("paddle", reason="the extra `cpu` is not installed")

from train.folder import write_model
from zoo.inputs.tokenizer import Tokenizer
from zoo.runtime import import_paddle
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.tolerance import parity_bound

paddle = import_paddle(parity=True)

from zoo.models.loading import load_checkpoint

STEPS = 4
TEXTS = ["a zero", "a photo of a one", "two", "three, written by hand"]


def train(folder: Path, pixels: Any, tokens: Any) -> Any:
    """A few steps of the contrastive loss, at a rate that leaves no weight where it was."""
    model = load_checkpoint(folder)
    model.train()
    optimizer = paddle.optimizer.AdamW(1e-3, parameters=model.parameters())
    for _ in range(STEPS):
        image, text, scale = model(pixels, tokens)
        logits = scale * image @ text.T
        labels = paddle.arange(len(tokens))
        loss = paddle.nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        optimizer.clear_grad()
    model.eval()
    return model


@pytest.mark.parametrize("to", ["open_clip", "hf"])
def test_it_computes_the_same_in_torch(
    run_zoo: Callable[..., Any], tiny: Path, tmp_path: Path, to: str
) -> None:
    assert run_zoo("convert", tiny, "--out", tmp_path / "native").code == 0
    random = np.random.default_rng(0)
    pixels = random.standard_normal((len(TEXTS), 3, 32, 32)).astype(np.float32)
    tokens = Tokenizer()(TEXTS)
    model = train(tmp_path / "native", pixels, tokens)
    weights = {name: value.numpy() for name, value in model.state_dict().items()}
    before = {n: v.numpy() for n, v in load_checkpoint(tmp_path / "native").state_dict().items()}
    changed = [name for name in weights if not np.array_equal(weights[name], before[name])]
    assert len(changed) == len(weights)
    write_model(tmp_path / "trained", model.spec, weights, "tiny-trained", ["train"])
    ran = run_zoo("verify", tmp_path / "trained", "--json")
    assert json.loads(ran.stdout)["results"][0]["status"] == "parity", ran.stderr
    out = ("--to", to, "--out", tmp_path / "out")
    assert run_zoo("export", tmp_path / "trained", *out).code == 0

    ours = [model.encode_image(pixels).numpy(), model.encode_text(tokens).numpy()]
    single = in_torch(load(tmp_path / "out", to), pixels, tokens)
    exact = in_torch(load(tmp_path / "out", to).double(), pixels.astype(np.float64), tokens)
    for a, b, truth in zip(ours, single, exact, strict=True):
        error = [float(np.linalg.norm(x - truth) / np.linalg.norm(truth)) for x in (a, b)]
        assert error[0] <= parity_bound(error[1])


def load(folder: Path, to: str) -> Any:
    if to == "open_clip":
        model, _ = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
        return model.eval()
    from zoo.verify.reference.hf_model import load_hf
    from zoo.verify.request import ModelRequest

    request = ModelRequest(library="transformers", folder=str(folder), dtype="keep")
    return load_hf(request).model


def in_torch(model: Any, pixels: Any, tokens: Any) -> list[Any]:
    with torch.no_grad():
        image = model.encode_image(torch.from_numpy(pixels))
        return [image.numpy(), model.encode_text(torch.from_numpy(tokens)).numpy()]
