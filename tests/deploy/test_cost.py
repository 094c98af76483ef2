from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from zoo.deploy import cost
from zoo.deploy.cost import measure_cost
from zoo.imagesets import bundled
from zoo.spec import CLIPSpec, native


@dataclass
class Turned:
    """Features in the plane, turned by an angle."""

    spec: CLIPSpec
    angle: float
    seen: int = 0
    path: Any = None
    programs: Any = None

    def encode_image(self, pixels: np.ndarray) -> np.ndarray:
        self.seen += len(pixels)
        angles = pixels.mean(axis=(1, 2, 3)) + self.angle
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def encode_text(self, tokens: np.ndarray) -> np.ndarray:
        raise AssertionError("only pictures are rounded")


@pytest.mark.parametrize("angle", [0.0, 0.1])
def test_the_cost_is_the_angle(
    converted_once: Path, monkeypatch: pytest.MonkeyPatch, angle: float
) -> None:
    monkeypatch.setattr(cost, "SAMPLE", 50)
    spec = native.read(converted_once / "config.json")
    pictures = bundled.held_out_digits().pictures
    rounded, exact = Turned(spec, angle), Turned(spec, 0.0)
    found = measure_cost(rounded, exact, pictures, lambda f: (10 * f[:, 0]).astype(np.int64))
    assert found["images"] == rounded.seen == -(-len(pictures) // 8) <= 50
    for name in ("mean 1 - cosine", "largest 1 - cosine"):
        assert found[name] == pytest.approx(1 - np.cos(angle), abs=1e-6)
    assert (found["flips"] > 0) == (angle > 0)
    assert "flips" not in measure_cost(rounded, exact, pictures)
