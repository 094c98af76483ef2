"""What is said of programs before there are any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from zoo.deploy.folder import Programs, declare, encode, read
from zoo.errors import ConfigError
from zoo.manifest import registry


@pytest.mark.parametrize(("blocks", "products"), [(12, "onednn"), (13, "paddle"), (24, "paddle")])
def test_deep_image_towers_stay_in_the_band(blocks: int, products: str) -> None:
    spec = registry().architecture("ViT-B-32")
    assert spec.vision is not None
    deep = replace(spec, vision=replace(spec.vision, layers=blocks))
    record = declare(deep, paddle="3.3.1", logit_scale=1.0)
    assert record.image is not None and record.text is not None
    assert (record.image.products, record.text.products) == (products, "paddle")
    rounded = record.image_bfloat16 or record.image  # bfloat16 is oneDNN's alone
    assert rounded.products == "onednn" and rounded.weights == record.image.weights
    assert read_again(record) == record


def read_again(record: Programs) -> Programs:
    return msgspec.json.decode(encode(record), type=Programs)


def test_a_record_of_another_version_is_told(tmp_path: Path) -> None:
    (tmp_path / "inference.json").write_text('{"schema_version": 1, "image": null}')
    with pytest.raises(ConfigError, match="not a record of programs of this version") as raised:
        read(tmp_path)
    assert "zoo export --to inference" in str(raised.value.remedy)
