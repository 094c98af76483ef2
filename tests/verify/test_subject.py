from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.errors import NotFoundError, UsageError
from zoo.spec import CLIPSpec, native
from zoo.verify.subject import CONTROLS, main, write_taps
from zoo.verify.tolerance import EPS

pytestmark = pytest.mark.paddle


@pytest.fixture
def spec(converted_once: Path) -> CLIPSpec:
    return native.read(converted_once / native.CONFIG_NAME)


@pytest.fixture
def inputs(spec: CLIPSpec, tmp_path: Path) -> Path:
    """Two pictures, and three texts that end at different places."""
    assert spec.vision is not None and spec.text is not None
    random = np.random.default_rng(0)
    pixels = random.normal(size=(2, 3, *spec.vision.image_size)).astype(np.float32)
    tokens = np.zeros((3, spec.text.context_length), np.int64)
    for row, end in enumerate((2, 5, 3)):
        tokens[row, :end] = random.integers(1, 100, end)
        tokens[row, end] = spec.text.vocab_size - 1
    folder = tmp_path / "inputs"
    folder.mkdir()
    np.save(folder / "input.pixels.npy", pixels)
    np.save(folder / "input.tokens.npy", tokens)
    return folder


def taps(folder: Path, inputs: Path, out: Path, control: str | None = None):
    write_taps(folder=folder, inputs=inputs, out=out, control=control)
    return {path.stem: np.load(path) for path in out.iterdir()}


def request(path: Path, **fields: object) -> str:
    path.write_text(json.dumps(fields, default=str))
    return str(path)


def test_the_process_answers(converted_once, spec, inputs, tmp_path):
    out = tmp_path / "out"
    asked = request(
        tmp_path / "request.json", folder=converted_once, inputs=inputs, out=out, control=None
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "zoo.verify.subject", asked],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    *progress, last = [json.loads(line) for line in done.stdout.splitlines()]
    blocks = spec.vision.layers + spec.text.layers
    assert progress == [{"stage": "subject", "done": i + 1, "of": blocks} for i in range(blocks)]
    assert last["environment"]["paddle"]["version"]
    settings = {s["name"]: s["value"] for s in last["environment"]["runtime"]["settings"]}
    assert settings["NVIDIA_TF32_OVERRIDE"] == "0"

    vision, text = (
        [2, spec.vision.tokens, spec.vision.width],
        [3, spec.text.context_length, spec.text.width],
    )
    shapes = {
        "visual.embed": vision,
        **{f"visual.block.{i}": vision for i in range(spec.vision.layers)},
        "visual.features": [2, spec.embed_dim],
        "text.embed": text,
        **{f"text.block.{i}": text for i in range(spec.text.layers)},
        "text.features": [3, spec.embed_dim],
        "logits": [2, 3],
    }
    written = {path.stem: np.load(path) for path in out.iterdir()}
    assert {name: list(array.shape) for name, array in written.items()} == shapes
    assert {array.dtype for array in written.values()} == {np.dtype(np.float32)}


def test_the_taps_are_the_models_own(converted_once, inputs, tmp_path):
    """What enters the blocks is embedded by hand; what leaves is what the model says."""
    from zoo.models.loading import load_checkpoint
    from zoo.runtime import import_paddle

    paddle = import_paddle()
    written = taps(converted_once, inputs, tmp_path / "out")
    model = load_checkpoint(converted_once)
    pixels, tokens = (np.load(inputs / f"input.{name}.npy") for name in ("pixels", "tokens"))

    embedding, positions = model.token_embedding.weight.numpy(), model.positional_embedding.numpy()
    np.testing.assert_array_equal(written["text.embed"], embedding[tokens] + positions)
    np.testing.assert_array_equal(written["visual.features"], model.encode_image(pixels))
    text = model.encode_text(tokens).numpy()  # cut at the last end token
    assert np.abs(written["text.features"] - text).max() <= 16 * EPS * np.abs(text).max()
    last = written[f"visual.block.{model.spec.vision.layers - 1}"]
    pooled = model.visual.ln_post(paddle.to_tensor(last[:, 0].copy())) @ model.visual.proj
    pooled = pooled.numpy()  # of a block that computes for that token alone, in other shapes
    assert np.abs(written["visual.features"] - pooled).max() <= 16 * EPS * np.abs(pooled).max()
    image, text, scale = (tensor.numpy() for tensor in model(pixels, tokens))
    assert np.abs(written["logits"] - scale * image @ text.T).max() <= 16 * EPS * scale


@pytest.mark.parametrize("control", CONTROLS)
def test_a_control_does_its_harm_in_the_first_blocks(control, converted_once, inputs, tmp_path):
    honest = taps(converted_once, inputs, tmp_path / "honest")
    wrong = taps(converted_once, inputs, tmp_path / "wrong", control)
    assert honest.keys() == wrong.keys()
    changed = {name for name in honest if (honest[name] != wrong[name]).any()}
    spared = {"text.embed"} if control == "eps" else {"text.embed", "visual.embed"}
    assert changed == honest.keys() - spared


def test_honesty_is_repeatable(converted_once, inputs, tmp_path):
    first, again = (taps(converted_once, inputs, tmp_path / name) for name in "ab")
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])


def test_an_unknown_control(converted_once, inputs, tmp_path, capsys):
    asked = request(
        tmp_path / "r.json",
        folder=converted_once,
        inputs=inputs,
        out=tmp_path / "out",
        control="sloppy",
    )
    assert main([asked]) == UsageError.exit_code
    assert "zoo: USAGE: sloppy is none of transpose" in capsys.readouterr().err


def test_a_folder_that_is_not_there(inputs, tmp_path, capsys):
    asked = request(
        tmp_path / "r.json",
        folder=tmp_path / "none",
        inputs=inputs,
        out=tmp_path / "out",
        control=None,
    )
    assert main([asked]) == NotFoundError.exit_code
    assert capsys.readouterr().err.startswith("zoo: NOTFOUND: ")


def test_a_request_is_one_path(capsys):
    assert main([]) == UsageError.exit_code
    assert "one argument" in capsys.readouterr().err
