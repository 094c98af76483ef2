from __future__ import annotations

from dataclasses import replace

import pytest

from zoo.manifest import registry
from zoo.spec.count import expected_params

# total, image tower, text tower: counted on open_clip's own models, built without memory.
COUNTS = {
    "ViT-B-32": (151_277_313, 87_849_216, 63_428_096),
    "ViT-B-32-256": (151_288_833, 87_860_736, 63_428_096),
    "ViT-B-16": (149_620_737, 86_192_640, 63_428_096),
    "ViT-L-14": (427_616_513, 303_966_208, 123_650_304),
    "ViT-H-14": (986_109_441, 632_076_800, 354_032_640),
    "ViT-H-14-378": (986_714_881, 632_682_240, 354_032_640),
    "ViT-g-14": (1_366_678_273, 1_012_645_632, 354_032_640),
    "ViT-bigG-14": (2_539_567_105, 1_844_907_264, 694_659_840),
}


@pytest.mark.parametrize("name", COUNTS)
def test_the_count_is_open_clip_s(name: str) -> None:
    assert expected_params(registry().architecture(name)) == COUNTS[name]


def test_one_tower_alone_has_no_logit_scale() -> None:
    spec = registry().architecture("ViT-B-32")
    _, vision, text = COUNTS["ViT-B-32"]
    assert expected_params(replace(spec, text=None)) == (vision, vision, 0)
    assert expected_params(replace(spec, vision=None)) == (text, 0, text)
