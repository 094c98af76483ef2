"""zoo as ``zoo.load`` gives it: Paddle, eager."""

from __future__ import annotations

from typing import Any

import numpy as np

import zoo
from benchmarks.contestants.serve import Works
from zoo.runtime import import_paddle
from zoo.speed.product import product


def prepare(folder: str) -> Works:
    paddle = import_paddle()
    from zoo.models.text import TextTower

    model, _, _ = zoo.load(folder)

    def images(pixels: Any) -> Any:
        with paddle.no_grad():
            return model.encode_image(pixels).numpy()

    def texts(tokens: Any) -> Any:
        with paddle.no_grad():
            return model.encode_text(tokens).numpy()

    def uncut(tokens: Any) -> Any:
        with paddle.no_grad():
            return TextTower.forward(model, paddle.to_tensor(tokens)).numpy()

    def classifier(words: Any) -> Any:
        return np.asarray(model.build_zero_shot_classifier(words["names"], words["templates"]))

    return {
        "images": images,
        "texts": texts,
        "texts uncut": uncut,
        "classifier": classifier,
        "product": product(),
    }
