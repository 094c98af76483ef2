from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from zoo.cli.arguments import architecture, size
from zoo.errors import ConfigError, FormatError, NotFoundError
from zoo.manifest import registry


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("5GB", 5_000_000_000),
        ("500MB", 500_000_000),
        ("1.5kB", 1500),
        ("1 GiB", 1 << 30),
        ("2mib", 2 << 20),
        ("4KiB", 4096),
        ("100B", 100),
    ],
)
def test_a_size_is_bytes(text: str, count: int) -> None:
    assert size(text) == count


@pytest.mark.parametrize(
    "text", ["", "5", "GB", "-1GB", "0GB", "0.4B", "5 TB", "1e3MB", "5GBx", "nan GB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no size"):
        size(text)


def test_an_architecture_is_a_name_or_a_file(tmp_path: Path) -> None:
    spec = architecture("ViT-B-32-quickgelu")
    assert spec == registry().architecture("ViT-B-32-quickgelu")
    path = tmp_path / "my.json"
    path.write_text(json.dumps({"embed_dim": 8, "vision_cfg": {"layers": 1}, "text_cfg": {}}))
    assert architecture(str(path)).embed_dim == 8


def test_an_architecture_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ViT-B-32"):
        architecture("ViT-B32")
    with pytest.raises(NotFoundError):
        architecture(str(tmp_path / "my.json"))
    (tmp_path / "my.json").write_text("{")
    with pytest.raises(FormatError):
        architecture(str(tmp_path / "my.json"))
