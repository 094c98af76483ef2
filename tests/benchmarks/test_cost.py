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
    """open_clip docs/model_profile.csv has multiply-adds (image_gmacs, text_gmacs), of a last block
    for all tokens; ours is 10 of 12 square products per token less, but for one."""
    spec = registry().architecture(architecture)
    assert spec.vision is not None and spec.text is not None
    for tower, tokens, counted, published in (
        (spec.vision, spec.vision.tokens, image_gflop(spec), image),
        (spec.text, 77, text_gflop(spec, 77), text),
    ):
        spared = 1e-9 * (tokens - 1) * (10 * tower.width**2 + 2 * tokens * tower.width)
        assert counted / 2 + spared == pytest.approx(published, rel=0.02)


def test_a_shorter_text_takes_less_than_its_share() -> None:
    spec = registry().architecture("ViT-B-32")
    assert text_gflop(spec, 11) < text_gflop(spec, 77) / 7
