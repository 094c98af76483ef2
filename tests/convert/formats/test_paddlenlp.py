"""What ``zoo export --to paddlenlp`` writes, in PaddleNLP itself: ``make test-paddlenlp``."""
# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

PYTHON = os.environ.get("ZOO_PADDLENLP_PYTHON")  # of its own environment
pytestmark = [
    pytest.mark.reference,
    pytest.mark.skipif(
        PYTHON is None, reason="PaddleNLP has an environment of its own: make test-paddlenlp"
    ),
]
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from zoo.verify.reference.interface import Reference
from zoo.verify.reference.libraries import torch
from zoo.verify.reference.model import load
from zoo.verify.request import ModelRequest
from zoo.verify.tolerance import parity_bound

transformers = pytest.importorskip("transformers", reason="the extra is not installed")
Run = Callable[..., Any]


def small_hf(folder: Path, *, act: str, dtype: str) -> None:
    """Heads of 13 and an MLP that no round ratio gives, as bigG's proportions; a square text
    projection, which hides a transpose."""
    torch.manual_seed(0)
    vision = {"hidden_size": 52, "num_attention_heads": 4, "intermediate_size": 255}
    vision |= {"image_size": 24, "patch_size": 8, "num_hidden_layers": 3}
    text = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 90}
    text |= {"num_hidden_layers": 2}
    config = transformers.CLIPConfig(
        vision_config=vision | {"hidden_act": act},
        text_config=text | {"hidden_act": act},
        projection_dim=24,
    )
    model = transformers.CLIPModel(config)
    with torch.no_grad():  # norms begin as ones and zeros, which hide mistakes
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    sizes = '{"size": {"shortest_edge": 24}, "crop_size": {"height": 24, "width": 24}}'
    (folder / "preprocessor_config.json").write_text(sizes)


def in_paddlenlp(folder: Path, pixels: Any, tokens: Any, work: Path) -> dict[str, Any]:
    np.savez(work / "inputs.npz", pixels=pixels.numpy(), tokens=tokens.numpy())
    child = Path(__file__).with_name("paddlenlp_child.py")
    words = [str(PYTHON), child, folder, work / "inputs.npz", work / "out.npz"]
    ran = subprocess.run(words, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return dict(np.load(work / "out.npz"))


@torch.no_grad()
def features(reference: Reference, pixels: Any, tokens: Any) -> dict[str, Any]:
    model = reference.model
    return {
        "image": model.encode_image(pixels).numpy(),
        "text": model.encode_text(tokens).numpy(),
    }


def error(values: Any, exact: Any) -> float:
    return float(np.linalg.norm(values - exact) / np.linalg.norm(exact))


@pytest.mark.parametrize(
    ("act", "dtype"),
    [("gelu", "float32"), ("quick_gelu", "float32"), ("gelu", "float16"), ("gelu", "bfloat16")],
)
def test_a_model_of_transformers(run_zoo: Run, tmp_path: Path, act: str, dtype: str) -> None:
    small_hf(tmp_path / "in", act=act, dtype=dtype)
    request = ModelRequest(library="transformers", folder=str(tmp_path / "in"), dtype="keep")
    check(run_zoo, request, tmp_path)


def test_the_bundled_checkpoint(run_zoo: Run, tmp_path: Path, tiny: Path) -> None:
    check(run_zoo, ModelRequest(folder=str(tiny), dtype="keep"), tmp_path)


def check(run_zoo: Run, request: ModelRequest, work: Path) -> None:
    """Exports and loads, and holds PaddleNLP's features to the bound of the parity rung."""
    assert run_zoo("convert", request.folder, "--out", work / "native").code == 0
    out = ("--to", "paddlenlp", "--out", work / "nlp")
    assert run_zoo("export", work / "native", *out).code == 0
    reference = load(request)
    assert reference.tokenizer is not None
    side = 24 if request.library == "transformers" else 32
    pixels = torch.randn(3, 3, side, side, generator=torch.Generator().manual_seed(1))
    tokens = reference.tokenizer(["a cat", "a photo of two dogs in the snow", ""])
    single = features(reference, pixels, tokens)
    exact = features(load_double(request), pixels.double(), tokens)
    found = in_paddlenlp(work / "nlp", pixels, tokens, work)
    for name in ("image", "text"):
        ours, theirs = error(found[name], exact[name]), error(single[name], exact[name])
        assert ours <= parity_bound(theirs), (name, ours, theirs)


def load_double(request: ModelRequest) -> Reference:
    reference = load(request)
    reference.model.double()
    return reference
