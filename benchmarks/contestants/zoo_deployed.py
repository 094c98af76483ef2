"""zoo as ``zoo export --to inference`` writes it: Paddle Inference."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.contestants.serve import Works
from zoo.deploy.encoder import open_encoder


def prepare(folder: str, precision: str = "float32") -> Works:
    """``precision``: of the image tower's products, float32 or bfloat16."""
    encoder = open_encoder(Path(folder), "bfloat16" if precision == "bfloat16" else "float32")

    def classifier(words: Any) -> Any:
        from zoo.models.zeroshot import build_classifier

        return build_classifier(
            encoder.encode_text, encoder.spec, words["names"], words["templates"]
        )

    return {
        "images": encoder.encode_image,
        "texts": encoder.encode_text,
        "classifier": classifier,
    }
