"""transformers as the reference, layer by layer: its own values, in float32 and in float64."""
# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from zoo.errors import ConfigError, NotFoundError, UsageError
from zoo.verify.goldens import Taps, open_taps
from zoo.verify.probe import load_probe
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.reference.model import load
from zoo.verify.reference.taps import write_taps
from zoo.verify.request import ModelRequest, TapsRequest, read_request

transformers = pytest.importorskip("transformers", reason="the extra is not installed")

PICTURES = [str(path) for path in load_probe().images[:3]]
TEXTS = ["a cat", "a cup of coffee, seen from above", ""]
VISION = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 62, "image_size": 48}
VISION |= {"patch_size": 16, "num_hidden_layers": 2, "hidden_act": "gelu", "projection_dim": 12}
TEXT = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 41}
TEXT |= {"num_hidden_layers": 2, "hidden_act": "quick_gelu", "projection_dim": 12}
CLASSES = {
    "both": lambda: transformers.CLIPModel(
        transformers.CLIPConfig(vision_config=VISION, text_config=TEXT, projection_dim=12)
    ),
    "visual": lambda: transformers.CLIPVisionModelWithProjection(
        transformers.CLIPVisionConfig(**VISION)
    ),
    "text": lambda: transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**TEXT)),
}


@pytest.fixture(params=["both", "visual", "text"])
def towers(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture
def folder(towers: str, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    CLASSES[towers]().save_pretrained(tmp_path / "in")
    processor = {
        "size": {"height": 48, "width": 48},
        "do_center_crop": False,
        "image_mean": [0.4, 0.5, 0.6],
        "image_std": [0.3, 0.2, 0.1],
    }
    (tmp_path / "in" / "preprocessor_config.json").write_text(json.dumps(processor))
    return tmp_path / "in"


def answer(folder: Path) -> Taps:
    request = TapsRequest(
        library="transformers",
        folder=str(folder),
        dtype="keep",
        out=str(folder.parent / "out"),
        images=PICTURES,
        texts=TEXTS,
    )
    write_taps(request, lambda done, of: None)
    return open_taps(folder.parent / "out")


@torch.no_grad()
def layers(model: Any, taps: Taps, dtype: Any) -> dict[str, Any]:
    """Every tap, through transformers' own ways to them."""
    found: dict[str, Any] = {}
    there = set(taps.keys())
    if "input.pixels" in there:
        pixels = torch.from_numpy(np.array(taps.get("input.pixels"))).to(dtype)
        out = model.vision_model(pixel_values=pixels, output_hidden_states=True)
        found["visual.features"] = model.visual_projection(out.pooler_output)
        states = out.hidden_states
        found |= {"visual.embed": states[0]}
        found |= {f"visual.block.{i}": state for i, state in enumerate(states[1:])}
    if "input.tokens" in there:
        tokens = torch.from_numpy(np.array(taps.get("input.tokens")))
        out = model.text_model(input_ids=tokens, output_hidden_states=True)
        found["text.features"] = model.text_projection(out.pooler_output)
        found |= {"text.embed": out.hidden_states[0]}
        found |= {f"text.block.{i}": state for i, state in enumerate(out.hidden_states[1:])}
    if len(there & {"input.pixels", "input.tokens"}) == 2:
        both = model(input_ids=tokens, pixel_values=pixels)
        found["logits"] = both.logits_per_image
    return found


def plain(folder: Path) -> Any:
    kind = json.loads((folder / "config.json").read_text())["architectures"][0]
    return getattr(transformers, kind).from_pretrained(folder, attn_implementation="sdpa").eval()


def test_float32_is_transformers_own(folder: Path, towers: str) -> None:
    taps = answer(folder)
    own = layers(plain(folder), taps, torch.float32)
    names = {name.removeprefix("f32/") for name in taps.keys() if name.startswith("f32/")}  # noqa: SIM118
    assert names == own.keys()
    assert ("logits" in names) == (towers == "both")
    for name, expected in own.items():
        found = taps.get(f"f32/{name}")
        if name == "logits":  # transformers divides by the norm, open_clip's normalize multiplies
            np.testing.assert_allclose(found, expected, rtol=8 * np.finfo(np.float32).eps)
        else:
            assert np.array_equal(found, expected), name


def test_float64_by_blocks_is_the_whole_model_in_float64(folder: Path) -> None:
    taps = answer(folder)
    whole = layers(copy.deepcopy(plain(folder)).double(), taps, torch.float64)
    for name, expected in whole.items():
        found = taps.get(f"f64/{name}")
        assert found.dtype == np.float64
        distance = np.linalg.norm(found - expected.numpy()) / np.linalg.norm(expected)
        assert distance <= 1e-15, name  # 4.5 eps: the same sums, perhaps in another order
        single = taps.get(f"f32/{name}")
        assert np.linalg.norm(single - found) / np.linalg.norm(found) > 1e-9, name


def test_inputs_are_prepared_as_open_clip_does(folder: Path, towers: str) -> None:
    from PIL import Image

    taps = answer(folder)
    if towers != "text":
        config = open_clip.transform.PreprocessCfg(
            size=48, mean=(0.4, 0.5, 0.6), std=(0.3, 0.2, 0.1), resize_mode="squash"
        )
        transform = open_clip.transform.image_transform_v2(config, is_train=False)
        expected = torch.stack([transform(Image.open(path)) for path in PICTURES])
        assert np.array_equal(taps.get("input.pixels"), expected)
    if towers != "visual":
        expected = open_clip.get_tokenizer("ViT-B-32")(TEXTS)
        assert np.array_equal(taps.get("input.tokens"), expected)


def test_old_files_with_positions_are_read(tmp_path: Path) -> None:
    model = CLASSES["both"]()
    model.config.save_pretrained(tmp_path)
    state = model.state_dict()
    counts = {"text_model.embeddings.position_ids": torch.arange(77)[None]}
    torch.save(state | counts, tmp_path / "pytorch_model.bin")
    (tmp_path / "preprocessor_config.json").write_text('{"size": 48, "crop_size": 48}')
    found = load(ModelRequest(library="transformers", folder=str(tmp_path), dtype="keep"))
    loaded = found.model.model.state_dict()
    assert all(torch.equal(loaded[name], value) for name, value in state.items())


@pytest.mark.parametrize("change", ["missing", "unexpected"])
def test_keys_that_do_not_fit_are_no_warning(tmp_path: Path, change: str) -> None:
    model = CLASSES["both"]()
    model.config.save_pretrained(tmp_path)
    state = model.state_dict()
    if change == "missing":
        del state["visual_projection.weight"]
    else:
        state["extra.weight"] = torch.ones(3)
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match=f"{change}_keys"):
        load(ModelRequest(library="transformers", folder=str(tmp_path), dtype="keep"))


def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    request = ModelRequest(library="transformers", folder=str(tmp_path), dtype="keep")
    with pytest.raises(NotFoundError, match="the reference's model is not there"):
        load(request)
    (tmp_path / "config.json").write_text('{"model_type": "siglip"}')
    with pytest.raises(ConfigError, match="transformers refuses"):
        load(request)


def test_transformers_reads_folders_only(tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    document = {"library": "transformers", "arch": "ViT-B-32", "weights": "x", "dtype": "keep"}
    path.write_text(json.dumps(document | {"out": "o", "images": [], "texts": []}))
    with pytest.raises(UsageError, match="transformers reads a folder"):
        read_request(path)


@pytest.mark.paddle
@pytest.mark.long
@pytest.mark.parametrize("tower", ["visual", "text"])
def test_one_tower_climbs_to_the_pipeline_and_its_controls_are_caught(
    run_zoo: Callable[..., Any], tmp_path: Path, tower: str
) -> None:
    torch.manual_seed(0)
    CLASSES[tower]().save_pretrained(tmp_path / "in")
    if tower == "visual":
        sizes = '{"size": 48, "crop_size": 48}'
        (tmp_path / "in" / "preprocessor_config.json").write_text(sizes)
    assert run_zoo("convert", tmp_path / "in", "--out", tmp_path / "out").code == 0
    ran = run_zoo("verify", tmp_path / "out", "--self-test", "--json")
    assert ran.code == 0, ran.stderr
    (result,) = json.loads(ran.stdout)["results"]
    assert result["status"] == "parity"
