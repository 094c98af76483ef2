"""Against transformers and open_clip themselves: what they write is read, and the other way."""
# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from zoo.convert.assemble import plan_for
from zoo.convert.readers import open_checkpoint
from zoo.convert.reconcile import reconcile
from zoo.convert.select import open_source
from zoo.errors import ConfigError
from zoo.manifest import registry
from zoo.spec.layout import native_shapes
from zoo.verify.reference.libraries import open_clip, torch

transformers = pytest.importorskip("transformers", reason="the extra is not installed")

Run = Callable[..., Any]
# bigG's proportions in small: heads of 104 / 8, an MLP that no round ratio gives, towers apart.
VISION = {"hidden_size": 52, "num_attention_heads": 4, "intermediate_size": 255, "image_size": 24}
VISION |= {"patch_size": 8, "num_hidden_layers": 3}
TEXT = {"hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 90}
TEXT |= {"num_hidden_layers": 2, "vocab_size": 49408}


def make(folder: Path, dtype: str = "float32", **acts: str) -> Any:
    """A model of random weights, as transformers saves it."""
    torch.manual_seed(0)
    config = transformers.CLIPConfig(
        vision_config=VISION | {"hidden_act": acts.get("vision", "gelu")},
        text_config=TEXT | {"hidden_act": acts.get("text", "gelu")},
        projection_dim=36,
    )
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():  # its norms begin as ones and zeros, which hide mistakes
        for name, parameter in model.named_parameters():
            if "norm" in name or "bias" in name:
                parameter.add_(0.1 * torch.randn_like(parameter))
    model.to(getattr(torch, dtype)).save_pretrained(folder)
    edges = {"height": 24, "width": 24}
    processor = {"size": {"shortest_edge": 24}, "crop_size": edges}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return model


@pytest.fixture
def inputs() -> tuple[Any, Any]:
    """Pixels and tokens; the end token is where it would be, and padding follows."""
    generator = torch.Generator().manual_seed(1)
    pixels = torch.randn(3, 3, 24, 24, generator=generator)
    tokens = torch.randint(1, 49000, (4, 77), generator=generator)
    for row, end in enumerate((2, 9, 30, 76)):
        tokens[row, 0], tokens[row, end], tokens[row, end + 1 :] = 49406, 49407, 0
    return pixels, tokens


@torch.no_grad()
def features(model: Any, inputs: tuple[Any, Any]) -> tuple[Any, Any]:
    pixels, tokens = inputs
    if hasattr(model, "encode_image"):
        return model.encode_image(pixels), model.encode_text(tokens)
    image = model.get_image_features(pixel_values=pixels).pooler_output
    return image, model.get_text_features(input_ids=tokens).pooler_output


def load_strictly(folder: Path) -> Any:
    """Loads with transformers, which else only warns of missing and unexpected keys."""
    model, report = transformers.CLIPModel.from_pretrained(folder, output_loading_info=True)
    assert not any(report.values()), report
    return model.eval()


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_transformers_wrote_comes_back_bit_for_bit(
    run_zoo: Run, tmp_path: Path, dtype: str
) -> None:
    make(tmp_path / "in", dtype)
    assert run_zoo("convert", tmp_path / "in", "--out", tmp_path / "native").code == 0
    out = ("--to", "hf", "--out", tmp_path / "back")
    assert run_zoo("export", tmp_path / "native", *out).code == 0
    paths = [tmp_path / name / "model.safetensors" for name in ("in", "back")]
    with open_checkpoint(paths[0]) as left, open_checkpoint(paths[1]) as right:
        assert list(left.tensors) == list(right.tensors)
        for name, info in left.tensors.items():
            assert (info.dtype, info.shape) == (
                right.tensors[name].dtype,
                right.tensors[name].shape,
            )
            assert left.tensor(name).tobytes() == right.tensor(name).tobytes(), name


@pytest.mark.parametrize(
    "acts", [{"vision": "gelu", "text": "quick_gelu"}, {"vision": "quick_gelu", "text": "gelu"}]
)
def test_the_export_loads_strictly_and_computes_the_same_to_the_bit(
    run_zoo: Run, tmp_path: Path, inputs: tuple[Any, Any], acts: dict[str, str]
) -> None:
    before = features(make(tmp_path / "in", **acts), inputs)
    run_zoo("convert", tmp_path / "in", "--out", tmp_path / "native")
    run_zoo("export", tmp_path / "native", "--to", "hf", "--out", tmp_path / "back")
    after = features(load_strictly(tmp_path / "back"), inputs)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    refused = run_zoo("export", tmp_path / "native", "--to", "open_clip", "--out", tmp_path / "no")
    assert refused.code == 4
    assert "one activation for both towers" in refused.stderr


@pytest.mark.parametrize("act", ["gelu", "quick_gelu"])
def test_in_open_clip_it_computes_what_it_computes_in_transformers(
    run_zoo: Run, tmp_path: Path, inputs: tuple[Any, Any], act: str
) -> None:
    """Judged in float64, where nothing but the order of summation is left to differ in.

    Rounding shrinks with the unit in the last place, so its size is known from float32; two orders
    of summation each have such an error, and one may be twice the other.
    """
    model = make(tmp_path / "in", vision=act, text=act)
    run_zoo("convert", tmp_path / "in", "--out", tmp_path / "native")
    run_zoo("export", tmp_path / "native", "--to", "open_clip", "--out", tmp_path / "out")
    name = f"local-dir:{tmp_path / 'out'}"
    other, _ = open_clip.create_model_from_pretrained(name)
    single = features(model, inputs)
    pixels, tokens = inputs[0].double(), inputs[1]
    model.set_attn_implementation("sdpa")  # the eager one rounds to float32
    theirs = features(model.double(), (pixels, tokens))
    ours = features(other.eval().double(), (pixels, tokens))
    for a, b, rounded in zip(ours, theirs, single, strict=True):
        rounding = float((rounded - b).norm()) * 2.0**-29  # from 24 bits to 53
        assert float((a - b).norm()) <= (1 + 2) * rounding


def test_the_tokenizer_gives_open_clip_s_ids_for_plain_english(
    run_zoo: Run, tmp_path: Path, tiny: Path
) -> None:
    run_zoo("convert", tiny, "--out", tmp_path / "native")
    run_zoo("export", tmp_path / "native", "--to", "hf", "--out", tmp_path / "out")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "out")
    assert type(theirs).__name__ == "CLIPTokenizer"
    assert theirs.model_max_length == 77
    ours = open_clip.get_tokenizer("ViT-B-32")
    texts = ["a photo of a cat", "It's  THE cat's, isn't it? 1984", "naïve cafés; 日本語 🐈", "!"]
    for text in texts:
        row = ours([text])[0].tolist()
        assert theirs(text)["input_ids"] == row[: row.index(49407) + 1], text
    long = "a " * 100
    assert theirs(long, truncation=True)["input_ids"] == ours([long])[0].tolist()


@torch.no_grad()
def test_a_picture_of_even_margin_is_prepared_alike(
    run_zoo: Run, tmp_path: Path, tiny: Path
) -> None:
    from PIL import Image

    from zoo.inputs.preprocess import Preprocess
    from zoo.spec import native
    from zoo.verify.reference.hf_model import CLIPImageProcessorPil

    run_zoo("convert", tiny, "--out", tmp_path / "native")
    run_zoo("export", tmp_path / "native", "--to", "hf", "--out", tmp_path / "out")
    processor = CLIPImageProcessorPil.from_pretrained(tmp_path / "out")
    spec = native.read(tmp_path / "native" / native.CONFIG_NAME).preprocess
    assert spec is not None
    noise = np.random.default_rng(0).integers(0, 256, (64, 88, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)  # 44 wide after resizing: 6 pixels are cut on each side
    theirs = processor(picture, return_tensors="np")["pixel_values"][0]
    assert np.array_equal(theirs, Preprocess(spec)(picture))


HF_MODELS = [m for m in registry().manifests if m.source.paddlemix is None]


@pytest.mark.parametrize("manifest", HF_MODELS, ids=lambda m: m.id)
def test_a_model_of_a_known_architecture_needs_its_toml_alone(
    tmp_path: Path, manifest: Any
) -> None:
    """transformers' own shapes, in a file of holes, fit the plan that the manifest gives."""
    base = registry().spec(manifest)
    assert base.vision and base.text
    towers = {
        f"{name}_config": {
            "hidden_size": tower.width,
            "intermediate_size": tower.mlp_width,
            "num_hidden_layers": tower.layers,
            "num_attention_heads": tower.heads,
        }
        for name, tower in (("vision", base.vision), ("text", base.text))
    }
    towers["vision_config"]["patch_size"] = base.vision.patch_size[0]
    config = transformers.CLIPConfig(projection_dim=base.embed_dim, **towers)
    with torch.device("meta"):
        model = transformers.CLIPModel(config)
    assert sum(p.numel() for p in model.parameters()) == manifest.params.total
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in model.state_dict().items():
        begin, end = end, end + 4 * math.prod(tensor.shape)
        offsets = [begin, end]
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": offsets}
    text = json.dumps(header).encode()
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    config.save_pretrained(tmp_path)
    opened = open_source(tmp_path)
    with opened.checkpoint:
        spec = reconcile(opened.stated, manifest, trust=None)  # it has no preprocessor file
        assert spec == base
        plan = plan_for(opened, spec)
    found = {
        name: shape
        for step in plan.steps
        for name, shape in zip(step.targets, step.target_shapes, strict=True)
    }
    assert found == native_shapes(base)


def test_the_wrong_activation_contradicts_the_manifest(tmp_path: Path) -> None:
    manifest = registry().find("openai/clip-vit-base-patch32")
    config = {"model_type": "clip", "vision_config": {"hidden_act": "gelu"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    from zoo.convert.stated import read_stated

    stated = read_stated("hf", tmp_path)
    assert stated is not None
    with pytest.raises(ConfigError) as caught:
        reconcile(stated, manifest, trust=None)
    assert "vision.activation: the file says gelu, the manifest quick_gelu" in str(caught.value)
