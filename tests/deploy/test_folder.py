"""What is said of programs before there are any."""

from __future__ import annotations

from dataclasses import replace

import pytest

from zoo.deploy.folder import declare
from zoo.manifest import registry


@pytest.mark.parametrize(("blocks", "onednn"), [(12, True), (13, False), (24, False)])
def test_deep_image_towers_stay_in_the_band(blocks: int, onednn: bool) -> None:
    spec = registry().architecture("ViT-B-32")
    assert spec.vision is not None
    deep = replace(spec, vision=replace(spec.vision, layers=blocks))
    record = declare(deep, paddle="3.3.1", logit_scale=1.0)
    assert record.image is not None and record.text is not None
    assert (record.image.onednn, record.text.onednn) == (onednn, False)
