"""Operations are counted from the specification."""

from __future__ import annotations

import pytest

from benchmarks.cost import image_gflop, text_gflop
from zoo.manifest import registry


@pytest.mark.parametrize(
    ("architecture", "image", "text"),
    [("ViT-B-32", 4.41, 2.98), ("ViT-L-14", 81.08, 6.65)],
)
def test_the_published_counts(architecture: str, image: float, text: float) -> None:
    """open_clip docs/model_profile.csv has multiply-adds (image_gmacs, text_gmacs)."""
    spec = registry().architecture(architecture)
    assert image_gflop(spec) / 2 == pytest.approx(image, rel=0.02)
    assert text_gflop(spec, 77) / 2 == pytest.approx(text, rel=0.02)


def test_a_shorter_text_takes_less_than_its_share() -> None:
    spec = registry().architecture("ViT-B-32")
    assert text_gflop(spec, 11) < text_gflop(spec, 77) / 7
