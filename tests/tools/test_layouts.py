from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from zoo.convert.readers import open_checkpoint

pytestmark = pytest.mark.reference


@pytest.mark.parametrize(
    ("layout", "opened", "files"),
    [
        ("safetensors", "open_clip_model.safetensors", 1),
        ("shards", "open_clip_model.safetensors.index.json", 5),
        ("zip", "open_clip_pytorch_model.bin", 1),
        ("legacy", "open_clip_pytorch_model.bin", 1),
    ],
)
def test_every_layout_holds_the_same_tensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, opened: str, files: int
) -> None:
    import torch

    from tools import layouts

    tensors = {name: torch.randn(2, 3) for name in "abcdef"}
    source, out = tmp_path / "source", tmp_path / "out"
    source.mkdir()
    (source / layouts.CONFIG).write_text("{}")
    layouts.one_file(tensors, source)
    monkeypatch.setattr(sys, "argv", ["layouts", str(source), layout, str(out)])
    layouts.main()
    assert (out / layouts.CONFIG).read_text() == "{}"
    assert len(list(out.iterdir())) == files + 1
    assert zipfile.is_zipfile(out / opened) == (layout == "zip")
    with open_checkpoint(out / opened) as checkpoint:
        assert checkpoint.tensors.keys() == tensors.keys()
        for name, tensor in tensors.items():
            np.testing.assert_array_equal(checkpoint.tensor(name), tensor.numpy())
