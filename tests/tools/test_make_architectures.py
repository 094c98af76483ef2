"""Every architecture of open_clip: in the registry as open_clip builds it, or refused by name."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import ModuleType

import pytest

from zoo.errors import ConfigError
from zoo.manifest import registry
from zoo.spec import open_clip as open_clip_config
from zoo.spec.count import expected_params

pytestmark = pytest.mark.reference

TOOL = runpy.run_path(str(Path(__file__).resolve().parents[2] / "tools/make_architectures.py"))
NAMES = sorted(path.stem for path in TOOL["ARCHITECTURES"].glob("*.toml"))


@pytest.fixture(scope="module")
def open_clip() -> ModuleType:
    from zoo.verify.reference.torchvision_shim import import_torchvision

    import_torchvision()
    import open_clip

    return open_clip


def test_the_files_are_what_the_tool_writes() -> None:
    for name in NAMES:
        text = (TOOL["ARCHITECTURES"] / f"{name}.toml").read_text()
        assert text == TOOL["render"](name, registry().architecture(name)), name


def test_what_is_left_out_is_no_class_token_vit_with_clip_s_tokenizer(
    open_clip: ModuleType,
) -> None:
    assert len(NAMES) == 32
    # The packaged files, not list_models: other tests register models of their own.
    packaged = (Path(open_clip.__file__).parent / "model_configs").glob("*.json")
    for name in {path.stem for path in packaged} - set(NAMES):
        config = open_clip.get_model_config(name)
        with pytest.raises(ConfigError):
            open_clip_config.parse(config, name)


@pytest.mark.parametrize("name", NAMES)
def test_the_architecture_is_the_model_that_open_clip_builds(
    open_clip: ModuleType, name: str
) -> None:
    import torch

    with torch.device("meta"):
        model = open_clip.model.CLIP(**open_clip.get_model_config(name))
    spec = registry().architecture(name)
    assert spec.vision and spec.text and spec.preprocess
    assert sum(p.numel() for p in model.parameters()) == expected_params(spec).total
    for tower, built in ((spec.vision, model.visual.transformer), (spec.text, model.transformer)):
        block = built.resblocks[-1]
        assert tower.layers == len(built.resblocks)
        assert (tower.width, tower.heads) == (block.attn.embed_dim, block.attn.num_heads)
        assert tower.mlp_width == block.mlp.c_fc.out_features
        assert tower.norm_eps == block.ln_1.eps
        quick = type(block.mlp.gelu).__name__ == "QuickGELU"
        assert tower.activation == ("quick_gelu" if quick else "gelu")
    assert spec.vision.image_size == model.visual.image_size
    assert spec.vision.patch_size == model.visual.patch_size
    assert spec.text.context_length == model.context_length
    assert spec.preprocess.mean == open_clip.OPENAI_DATASET_MEAN
    assert spec.preprocess.std == open_clip.OPENAI_DATASET_STD
