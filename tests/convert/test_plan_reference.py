# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test
"""Plans against the true names and shapes: those of open_clip's models on torch's meta device."""

from __future__ import annotations

import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from zoo.convert.assemble import plan_for
from zoo.convert.reconcile import reconcile
from zoo.convert.select import Opened, open_source
from zoo.errors import ConfigError, MappingError
from zoo.manifest import Manifest, registry
from zoo.spec.layout import native_shapes
from zoo.verify.reference.libraries import open_clip, torch

ZOO = registry()
Shapes = dict[str, tuple[int, ...]]

# Parameters in all, of the image tower and of the text tower, counted independently of this code.
COUNTS = {
    "CLIP-ViT-bigG-14-laion2B-39B-b160k": (2_539_567_105, 1_844_907_264, 694_659_840),
    "CLIP-ViT-g-14-laion2B-s34B-b88K": (1_366_678_273, 1_012_645_632, 354_032_640),
    "CLIP-ViT-H-14-laion2B-s32B-b79K": (986_109_441, 632_076_800, 354_032_640),
    "CLIP-ViT-L-14-laion2B-s32B-b82K": (427_616_513, 303_966_208, 123_650_304),
    "CLIP-ViT-B-16-laion2B-s34B-b88K": (149_620_737, 86_192_640, 63_428_096),
    "CLIP-ViT-B-32-laion2B-s34B-b79K": (151_277_313, 87_849_216, 63_428_096),
    "CLIP-ViT-L-14-DataComp.XL-s13B-b90K": (427_616_513, 303_966_208, 123_650_304),
    "CLIP-ViT-B-16-DataComp.XL-s13B-b90K": (149_620_737, 86_192_640, 63_428_096),
    "CLIP-ViT-B-32-DataComp.XL-s13B-b90K": (151_277_313, 87_849_216, 63_428_096),
    "CLIP-ViT-B-32-256x256-DataComp-s34B-b86K": (151_288_833, 87_860_736, 63_428_096),
    "DFN5B-CLIP-ViT-H-14-378": (986_714_881, 632_682_240, 354_032_640),
    "DFN5B-CLIP-ViT-H-14": (986_109_441, 632_076_800, 354_032_640),
    "DFN2B-CLIP-ViT-L-14": (427_616_513, 303_966_208, 123_650_304),
    "DFN2B-CLIP-ViT-B-16": (149_620_737, 86_192_640, 63_428_096),
}


@cache
def shapes(architecture: str, *, custom_text: bool = False) -> Shapes:
    config = open_clip.get_model_config(architecture)
    config.pop("custom_text", None)
    build = open_clip.model.CustomTextCLIP if custom_text else open_clip.model.CLIP
    with torch.device("meta"):
        model = build(**config)
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def write_header(path: Path, shapes: Shapes) -> None:
    """A safetensors file of float32 that has a header, and a hole where the tensors would be."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        begin, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)


def write_folder(folder: Path, manifest: Manifest, shapes: Shapes, **model: Any) -> Path:
    """What the entry's repository holds, without the weights' values."""
    folder.mkdir()
    write_header(folder / "open_clip_model.safetensors", shapes)
    preprocess = manifest.preprocess
    config = {
        "model_cfg": {
            **open_clip.get_model_config(manifest.architecture),
            "quick_gelu": manifest.quick_gelu is True,
            **model,
        },
        "preprocess_cfg": {
            "mean": preprocess.mean,
            "std": preprocess.std,
            "interpolation": preprocess.interpolation,
            "resize_mode": preprocess.resize,
        },
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


def opened(folder: Path) -> Opened:
    opened = open_source(folder)
    opened.checkpoint.close()
    return opened


def test_paddlemix_s_zoo_is_these_fourteen() -> None:
    assert {m.id for m in ZOO.manifests if m.source.paddlemix} == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_an_entry_s_plan_fits_the_true_shapes_and_counts(tmp_path: Path, name: str) -> None:
    manifest = ZOO.names[name]
    true = shapes(manifest.architecture)
    source = opened(write_folder(tmp_path / "in", manifest, true))
    spec = reconcile(source.stated, manifest, trust=None)
    plan = plan_for(source, spec)
    assert {key for step in plan.steps for key in step.sources} == true.keys()
    targets = {
        key: shape
        for step in plan.steps
        for key, shape in zip(step.targets, step.target_shapes, strict=True)
    }
    assert targets == native_shapes(spec)
    sizes = {key: math.prod(shape) for key, shape in targets.items()}
    total = sum(sizes.values())
    vision = sum(size for key, size in sizes.items() if key.startswith("visual."))
    assert (total, vision, total - vision - 1) == COUNTS[name]
    back = {
        key: shape
        for step in plan.inverse().steps
        for key, shape in zip(step.targets, step.target_shapes, strict=True)
    }
    assert back == true


def test_one_wrong_number_is_found(tmp_path: Path) -> None:
    manifest = ZOO.names["CLIP-ViT-B-32-laion2B-s34B-b79K"]
    true = shapes(manifest.architecture)
    for at, (key, shape, kind) in enumerate(
        (
            ("visual.positional_embedding", (65, 768), ConfigError),  # of 256 pixels
            ("visual.transformer.resblocks.11.mlp.c_fc.weight", (768, 3072), MappingError),
        )
    ):
        assert true[key] != shape
        source = opened(write_folder(tmp_path / str(at), manifest, true | {key: shape}))
        with pytest.raises(kind):
            plan_for(source, source.spec)


ARCHITECTURES = sorted(path.stem for path in (ZOO.folder / "architectures").glob("*.toml"))


@pytest.mark.parametrize("custom_text", [False, True], ids=["CLIP", "CustomTextCLIP"])
def test_every_architecture_s_plan_fits_in_both_packings(tmp_path: Path, custom_text: bool) -> None:
    assert len(ARCHITECTURES) == 32
    for name in ARCHITECTURES:
        folder = tmp_path / name
        folder.mkdir()
        true = shapes(name, custom_text=custom_text)
        write_header(folder / "open_clip_model.safetensors", true)
        config = open_clip.get_model_config(name)
        (folder / "open_clip_config.json").write_text(json.dumps(config))
        source = opened(folder)
        plan = plan_for(source, source.spec)
        assert {key for step in plan.steps for key in step.sources} == true.keys()
        assert source.format.name == ("open_clip-custom-text" if custom_text else "open_clip")
