# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test
from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

import safetensors.numpy
from PIL import Image

from zoo import data
from zoo.verify.reference.libraries import torch
from zoo.verify.reference.model import load
from zoo.verify.reference.zeroshot import classify
from zoo.verify.request import ModelRequest

TOOL = runpy.run_path(str(Path(__file__).parents[2] / "tools" / "train_tiny.py"))
TINY = data.path("tiny")
FACTS = json.loads((TINY / "zero_shot.json").read_text())
HELD_OUT = safetensors.numpy.load_file(TINY / "held_out.safetensors")


def test_the_files_are_this_scripts() -> None:
    config = json.loads((TINY / "open_clip_config.json").read_text())
    assert config["model_cfg"] == TOOL["CONFIG"]
    assert (FACTS["classes"], FACTS["templates"]) == (TOOL["CLASSES"], TOOL["TEMPLATES"])


def test_the_held_out_digits_are_those_not_trained_on() -> None:
    pictures, labels = TOOL["digits"]()
    training, held = TOOL["split"](len(labels))
    assert FACTS["held_out"]["indices"] == held.tolist()
    assert sorted([*training, *held]) == list(range(len(labels)))
    assert np.array_equal(HELD_OUT["images"], pictures[held])
    assert np.array_equal(HELD_OUT["labels"], labels[held])
    assert (pictures.min(), pictures.max()) == (0, 255)


def test_open_clips_predictions_come_from_the_files_again() -> None:
    reference = load(ModelRequest(folder=str(TINY), dtype="keep"))
    images = (reference.preprocess(Image.fromarray(image)) for image in HELD_OUT["images"])
    answers = classify(reference, images, classes=FACTS["classes"], templates=FACTS["templates"])
    # 100 x cosine: float32's relative error through the towers is below 1e-5.
    assert np.abs(answers["scores"] - HELD_OUT["scores"]).max() < 100 * 1e-5
    assert np.array_equal(answers["predictions"], HELD_OUT["predictions"])
    correct = int((HELD_OUT["predictions"] == HELD_OUT["labels"]).sum())
    assert FACTS["top1"] == {"correct": correct, "of": len(HELD_OUT["labels"])}
    assert correct / len(HELD_OUT["labels"]) >= 0.95


def test_only_attention_has_square_matrices() -> None:
    weights = safetensors.numpy.load_file(TINY / TOOL["WEIGHTS"])
    square = {name for name, w in weights.items() if w.ndim == 2 and w.shape[0] == w.shape[1]}
    assert square == {name for name in weights if name.endswith("attn.out_proj.weight")}
    assert sum(w.nbytes for w in weights.values()) < 10e6


def trained(steps: int) -> tuple[dict[str, Any], list[float]]:
    pictures, labels = TOOL["digits"]()
    model = TOOL["new_model"]()
    images = TOOL["pixels"](model, pictures)
    losses = list(TOOL["train"](model, images, labels, steps=steps))
    return model.state_dict(), losses


def test_a_seed_gives_the_same_weights_again() -> None:
    first, losses = trained(2)
    second, _ = trained(2)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    # It has hardly begun: ten classes, each as likely as another.
    assert losses[0] == pytest.approx(math.log(10), abs=0.5)
    untrained = TOOL["new_model"]().state_dict()
    moved = {name for name, value in first.items() if not torch.equal(value, untrained[name])}
    assert moved == set(first)
