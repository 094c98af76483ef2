# ruff: noqa: E402 - without torch there is nothing to import, and nothing to test
from __future__ import annotations

import copy
import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.reference
pytest.importorskip("torch", reason="the extra `reference` is not installed")

from PIL import Image

from zoo import data
from zoo.errors import ConfigError, FormatError, NotFoundError
from zoo.verify.goldens import Taps, open_taps
from zoo.verify.probe import load_probe
from zoo.verify.reference.__main__ import main
from zoo.verify.reference.double import double_precision
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.reference.model import load
from zoo.verify.reference.taps import write_taps
from zoo.verify.reference.torchvision_shim import import_torchvision
from zoo.verify.reference.zeroshot import write_predictions
from zoo.verify.request import ModelRequest, PredictRequest, TapsRequest

TINY = data.path("tiny")
PICTURES = [str(path) for path in load_probe().images[:3]]
TEXTS = ["a cat", "a cup of coffee, seen from above", ""]


def silent(done: int, of: int) -> None:
    pass


@pytest.fixture(params=["clip-gelu", "clip-quick_gelu", "custom_text-gelu"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Random weights as open_clip keeps them, in both packings and with both activations."""
    packing, _, activation = request.param.partition("-")
    tower = {"layers": 2, "mlp_ratio": 2.61, "ls_init_value": 0.5}
    config = {
        "embed_dim": 12,
        "quick_gelu": activation == "quick_gelu",
        "vision_cfg": {"image_size": 48, "patch_size": 16, "width": 24, "head_width": 8, **tower},
        "text_cfg": {"width": 16, "heads": 2, **tower},
    }
    kind = open_clip.CustomTextCLIP if packing == "custom_text" else open_clip.CLIP
    torch.manual_seed(0)
    torch.save(kind(**config).state_dict(), tmp_path / "open_clip_pytorch_model.bin")
    config["custom_text"] = packing == "custom_text"
    preprocess = {"mean": [0.4, 0.5, 0.6], "std": [0.3, 0.2, 0.1], "resize_mode": "squash"}
    whole = {"model_cfg": config, "preprocess_cfg": preprocess}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(whole))
    return tmp_path


def ask(folder: Path, out: Path, **changes: Any) -> TapsRequest:
    fields = {"dtype": "keep", "images": PICTURES, "texts": TEXTS, **changes}
    return TapsRequest(folder=str(folder), out=str(out), **fields)


def answer(folder: Path, **changes: Any) -> Taps:
    write_taps(ask(folder, folder / "out", **changes), silent)
    return open_taps(folder / "out")


def plain(folder: Path) -> tuple[Any, Any, Any]:
    """The model, pixels and tokens, as one gets them from open_clip."""
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    pixels = torch.stack([preprocess(Image.open(path)) for path in PICTURES])
    return model.eval(), pixels, open_clip.get_tokenizer(f"local-dir:{folder}")(TEXTS)


def layers(model: Any, pixels: Any, tokens: Any) -> dict[str, Any]:
    """Every tap but embed, through open_clip's own ways to them."""
    with torch.no_grad():
        inner = model.forward_intermediates(
            pixels, tokens, image_output_fmt="NLC", image_output_extra_tokens=True
        )
        prefixed = zip(
            inner["image_intermediates_prefix"], inner["image_intermediates"], strict=True
        )
        return {
            "visual.features": model.encode_image(pixels),
            "text.features": model.encode_text(tokens),
            "logits": model.get_logits(pixels, tokens)[0],
            **{f"visual.block.{i}": torch.cat(pair, dim=1) for i, pair in enumerate(prefixed)},
            **{f"text.block.{i}": x for i, x in enumerate(inner["text_intermediates"])},
        }


def test_float32_is_open_clips_own_to_the_bit(folder: Path) -> None:
    taps = answer(folder)
    model, pixels, tokens = plain(folder)
    assert np.array_equal(taps.get("input.pixels"), pixels)
    assert np.array_equal(taps.get("input.tokens"), tokens)
    for name, expected in layers(model, pixels, tokens).items():
        assert np.array_equal(taps.get(f"f32/{name}"), expected), name
    with torch.no_grad():
        assert np.array_equal(taps.get("f32/visual.embed"), model.visual._embeds(pixels))
    text = getattr(model, "text", model)
    embed = text.token_embedding(tokens) + text.positional_embedding
    assert np.array_equal(taps.get("f32/text.embed"), embed.detach())


def test_float64_by_blocks_is_the_whole_model_in_float64(folder: Path) -> None:
    taps = answer(folder)
    model, pixels, tokens = plain(folder)
    whole = layers(copy.deepcopy(model).double(), pixels.double(), tokens)
    for name, expected in whole.items():
        found = taps.get(f"f64/{name}")
        assert found.dtype == np.float64
        distance = np.linalg.norm(found - expected.numpy()) / np.linalg.norm(expected)
        assert distance <= 1e-15, name  # 4.5 eps: the same sums, perhaps in another order
        single = taps.get(f"f32/{name}")
        assert np.linalg.norm(single - found) / np.linalg.norm(found) > 1e-9, name


def test_the_model_is_float32_again_afterwards(folder: Path) -> None:
    reference = load(ModelRequest(folder=str(folder), dtype="keep"))
    before = {name: value.clone() for name, value in reference.model.state_dict().items()}
    with torch.no_grad(), double_precision(reference):
        assert reference.model.encode_text(reference.tokenizer(TEXTS)).dtype == torch.float64
    after = reference.model.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert {value.dtype for value in after.values()} == {torch.float32}
    with torch.no_grad():
        assert reference.model.encode_text(reference.tokenizer(TEXTS)).dtype == torch.float32


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_parameter_is_rounded(dtype: str) -> None:
    exact = load(ModelRequest(folder=str(TINY), dtype="keep")).model.state_dict()
    rounded = load(ModelRequest(folder=str(TINY), dtype=dtype)).model.state_dict()
    for name, value in exact.items():
        assert torch.equal(rounded[name], value.to(getattr(torch, dtype)).float()), name
    assert not torch.equal(rounded["logit_scale"], exact["logit_scale"])


def test_only_what_is_asked_for_is_written_and_progress_counts_it(tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    request = ask(TINY, tmp_path, float64=False, taps=False)
    write_taps(request, lambda done, of: heard.append((done, of)))
    assert open_taps(tmp_path).keys() == [
        *("f32/logits", "f32/text.features", "f32/visual.features"),
        *("input.pixels", "input.tokens"),
    ]
    assert heard == [(1, 3), (2, 3), (3, 3)]


def test_an_architecture_and_a_file_make_the_same_model(tmp_path: Path) -> None:
    config = json.loads((TINY / "open_clip_config.json").read_text())["model_cfg"]
    (tmp_path / "tiny-digits.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "tiny-digits.json")
    weights = str(TINY / "open_clip_model.safetensors")
    bare = load(ModelRequest(arch="tiny-digits", weights=weights, dtype="keep"))
    whole = load(ModelRequest(folder=str(TINY), dtype="keep"))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(bare.model.state_dict()[name], value), name


def test_torchs_older_format_is_read_too(tmp_path: Path) -> None:
    (tmp_path / "open_clip_config.json").write_bytes((TINY / "open_clip_config.json").read_bytes())
    exact = load(ModelRequest(folder=str(TINY), dtype="keep")).model.state_dict()
    legacy = tmp_path / "open_clip_pytorch_model.bin"
    torch.save(exact, legacy, _use_new_zipfile_serialization=False)
    found = load(ModelRequest(folder=str(tmp_path), dtype="keep")).model.state_dict()
    assert all(torch.equal(found[name], value) for name, value in exact.items())


def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"open_clip_config\.json"):
        load(ModelRequest(folder=str(tmp_path), dtype="keep"))
    # The tag of a download, were it given to open_clip as it is.
    with pytest.raises(NotFoundError, match="openai"):
        load(ModelRequest(arch="ViT-B-32", weights="openai", dtype="keep"))
    config = (TINY / "open_clip_config.json").read_text()
    (tmp_path / "open_clip_config.json").write_text(config)
    with pytest.raises(ConfigError, match="could not be loaded"):
        load(ModelRequest(folder=str(tmp_path), dtype="keep"))
    torch.save({"logit_scale": torch.ones(())}, tmp_path / "open_clip_pytorch_model.bin")
    with pytest.raises(ConfigError, match="state_dict"):
        load(ModelRequest(folder=str(tmp_path), dtype="keep"))


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no picture")
    for name, error in (("absent.png", NotFoundError), ("text.png", FormatError)):
        with pytest.raises(error, match=name):
            write_taps(ask(TINY, tmp_path, images=[str(tmp_path / name)]), silent)


def test_equal_scores_go_to_the_lowest_index(tmp_path: Path) -> None:
    write_predictions(
        PredictRequest(
            task="predict",
            folder=str(TINY),
            dtype="keep",
            out=str(tmp_path),
            images=PICTURES,
            classes=["seven", "seven", "seven"],
            templates=["{}.", "a {}."],
        ),
        silent,
    )
    assert np.load(tmp_path / "predictions.npy").tolist() == [0, 0, 0]
    classifier = np.load(tmp_path / "classifier.npy")
    assert classifier.shape == (48, 3)
    assert np.load(tmp_path / "scores.npy").shape == (3, 3)


def test_the_process_answers_offline_and_tells_how_far_it_is(tmp_path: Path) -> None:
    request = {
        "folder": str(TINY),
        "arch": None,
        "weights": None,
        "dtype": "keep",
        "images": PICTURES,
        "texts": TEXTS,
        "out": str(tmp_path / "out"),
        "float64": True,
        "taps": True,
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    child = subprocess.run(
        [sys.executable, "-m", "zoo.verify.reference", tmp_path / "request.json"],
        capture_output=True,
        text=True,
    )
    assert (child.returncode, child.stderr) == (0, "")
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    assert lines[-1] == {"stage": "reference", "done": 20, "of": 20}
    assert [line["done"] for line in lines] == list(range(1, 21))
    environment = json.loads((tmp_path / "out" / "environment.json").read_text())
    assert environment["model_class"] == "CLIP"
    assert environment["open_clip"] == open_clip.__version__


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"folder": "absent"}, 6, "zoo: NOTFOUND: the reference's model is not there"),
        ({"dtype": "float8"}, 2, "zoo: USAGE: not a request to the reference"),
        ({"images": ["a.png"]}, 6, "zoo: NOTFOUND: a picture is not there (a.png)"),
    ],
)
def test_a_failure_is_one_line_and_an_exit_code(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    code: int,
    said: str,
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    request = {"folder": str(TINY), "dtype": "keep", "images": [], "texts": []}
    request["out"] = str(tmp_path / "out")
    (tmp_path / "request.json").write_text(json.dumps({**request, **change}))
    assert main([str(tmp_path / "request.json")]) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "open_clip", None)
    monkeypatch.delitem(sys.modules, "zoo.verify.reference.libraries")
    with pytest.raises(NotFoundError, match="open_clip is not installed") as caught:
        importlib.import_module("zoo.verify.reference.libraries")
    assert "[reference]" in str(caught.value.remedy)


def test_the_shim_answers_to_one_failure_only(monkeypatch: pytest.MonkeyPatch) -> None:
    shim = sys.modules[import_torchvision.__module__]
    tried: list[str] = []

    def fail(name: str) -> None:
        tried.append(name)
        raise RuntimeError("operator torchvision::roi_align does not exist")

    monkeypatch.setattr(shim, "import_module", fail)
    with pytest.raises(RuntimeError, match="roi_align"):
        import_torchvision()
    assert tried == ["torchvision"]
