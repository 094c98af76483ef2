"""The same weights give the same bytes, whatever format they came in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert import provenance
from zoo.spec import native

Write = Callable[..., Path]
Run = Callable[..., Any]  # tests/conftest.py's run_zoo


@pytest.fixture
def expected(write: Write, run_zoo: Run, tmp_path: Path) -> Path:
    """The conversion of open_clip's form."""
    source = write(tmp_path / "open_clip", "open_clip")
    assert run_zoo("convert", source, "--out", tmp_path / "expected").code == 0
    return tmp_path / "expected"


@pytest.fixture
def arch(small: Any, tmp_path: Path) -> Path:
    """The architecture in open_clip's words, for a file that does not say all of it."""
    path = tmp_path / "arch.json"
    path.write_text(json.dumps(small.config))
    return path


def assert_same(found: Path, expected: Path) -> None:
    for name in ("model.safetensors", native.CONFIG_NAME):
        assert (found / name).read_bytes() == (expected / name).read_bytes(), name


def test_from_transformers(write: Write, run_zoo: Run, expected: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in", "hf")
    assert run_zoo("convert", source, "--out", tmp_path / "out").code == 0
    assert_same(tmp_path / "out", expected)
    record = provenance.read(tmp_path / "out")
    assert record.source.format == "hf"
    assert [file.name for file in record.source.files] == [
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    ]


def test_old_files_count_positions_too(write: Write, run_zoo: Run, expected: Path) -> None:
    source = write(expected.parent / "in", "hf")
    path = source / "model.safetensors"
    counts = {
        f"{model}_model.embeddings.position_ids": np.arange(length)[None]
        for model, length in (("text", 77), ("vision", 17))
    }
    save_file(load_file(path) | counts, path)
    assert run_zoo("convert", source, "--out", source / "out").code == 0
    assert_same(source / "out", expected)
    assert sorted(provenance.read(source / "out").source.left_out) == sorted(counts)


def test_from_shards(write: Write, run_zoo: Run, expected: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in", "hf")
    whole = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    places = {}
    for at in range(3):
        name = f"model-{at + 1:05}-of-00003.safetensors"
        part = dict(list(whole.items())[at::3])
        save_file(part, source / name)
        places |= dict.fromkeys(part, name)
    index = json.dumps({"metadata": {}, "weight_map": places})
    (source / "model.safetensors.index.json").write_text(index)
    assert run_zoo("convert", source, "--out", tmp_path / "out").code == 0
    assert_same(tmp_path / "out", expected)


@pytest.mark.parametrize("tower", ["vision", "text"])
def test_one_tower_alone(
    write: Write, run_zoo: Run, expected: Path, tmp_path: Path, tower: str
) -> None:
    source = write(tmp_path / "in", "hf")
    config = json.loads((source / "config.json").read_text())
    alone = config[f"{tower}_config"] | {
        "model_type": f"clip_{tower}_model",
        "architectures": [f"CLIP{tower.title()}ModelWithProjection"],
        "projection_dim": config["projection_dim"],
    }
    (source / "config.json").write_text(json.dumps(alone))
    whole = load_file(source / "model.safetensors")
    own = ("visual_projection", "vision_model") if tower == "vision" else ("text_",)
    save_file({k: v for k, v in whole.items() if k.startswith(own)}, source / "model.safetensors")
    assert run_zoo("convert", source, "--out", tmp_path / "out").code == 0
    found = load_file(tmp_path / "out" / "model.safetensors")
    tensors = load_file(expected / "model.safetensors")
    visual = {name for name in tensors if name.startswith("visual.")}
    belong = visual if tower == "vision" else tensors.keys() - visual - {"logit_scale"}
    assert found.keys() == belong
    assert all(np.array_equal(found[name], tensors[name]) for name in belong)
    spec = native.read(tmp_path / "out" / native.CONFIG_NAME)
    assert (spec.vision is None, spec.text is None) == (tower == "text", tower == "vision")
    # PaddleNLP, PaddleMIX and open_clip have no such model; transformers has.
    assert run_zoo("export", tmp_path / "out", "--to", "hf", "--out", tmp_path / "back").code == 0
    again = load_file(tmp_path / "back" / "model.safetensors")
    before = load_file(source / "model.safetensors")
    assert again.keys() == before.keys()
    assert all(np.array_equal(again[name], before[name]) for name in before)
    for other in ("open_clip", "paddlemix", "paddlenlp"):
        there = tmp_path / f"to-{other}"
        refused = run_zoo("export", tmp_path / "out", "--to", other, "--out", there)
        assert (refused.code, there.exists()) == (4, False)
        assert "both towers" in refused.stderr


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"core": "core"},
        {"tuples": True},
        {"text": "text."},
        {"protocol": 2},
        {"protocol": 3, "tuples": True},
    ],
    ids=["numpy 2", "numpy 1", "tuples", "custom_text", "protocol 2", "protocol 3"],
)
def test_from_paddlemix(
    write: Write, run_zoo: Run, expected: Path, arch: Path, tmp_path: Path, how: dict[str, Any]
) -> None:
    source = write(tmp_path / "in", "paddlemix", **how)
    command = ("convert", source, "--arch", arch, "--out", tmp_path / "out")
    assert run_zoo(*command).code == 0
    assert_same(tmp_path / "out", expected)


def test_a_logit_scale_without_an_axis(
    write: Write, run_zoo: Run, expected: Path, arch: Path, tmp_path: Path
) -> None:
    import pickle

    source = write(tmp_path / "in", "paddlemix")
    path = source / "model_state.pdparams"
    content = pickle.loads(path.read_bytes())
    content["logit_scale"] = content["logit_scale"].reshape(())
    path.write_bytes(pickle.dumps(content, protocol=4))
    command = ("convert", source, "--arch", arch, "--out", tmp_path / "out")
    assert run_zoo(*command).code == 0
    assert_same(tmp_path / "out", expected)


def test_paddlemix_does_not_say_the_image_tower_s_activation(
    write: Write, run_zoo: Run, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", "paddlemix")
    refused = run_zoo("convert", source, "--out", tmp_path / "out")
    assert refused.code == 4
    assert "nothing says which activation the image tower has" in refused.stderr
    assert "--arch" in refused.stderr
    config = json.loads((source / "config.json").read_text())
    config["vision_cfg"]["quick_gelu"] = True  # as zoo's own exports say it
    (source / "config.json").write_text(json.dumps(config))
    assert run_zoo("convert", source, "--out", tmp_path / "out").code == 0
    spec = native.read(tmp_path / "out" / native.CONFIG_NAME)
    assert spec.vision and spec.text
    assert (spec.vision.activation, spec.text.activation) == ("quick_gelu", "quick_gelu")


def test_of_several_families_open_clip_s_is_taken_and_said(
    write: Write, run_zoo: Run, tmp_path: Path
) -> None:
    both = write(write(tmp_path / "in", "hf"), "open_clip")
    taken = run_zoo("convert", both, "--out", tmp_path / "a")
    assert taken.code == 0
    assert "hf's files are there too; --from hf takes them" in taken.stderr
    assert run_zoo("convert", both, "--from", "hf", "--out", tmp_path / "b").code == 0
    formats = [provenance.read(tmp_path / name).source.format for name in "ab"]
    assert formats == ["open_clip", "hf"]
    assert (tmp_path / "a/model.safetensors").read_bytes() == (
        tmp_path / "b/model.safetensors"
    ).read_bytes()


def test_the_keys_decide_and_not_the_file_s_name(
    write: Write, run_zoo: Run, expected: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", "hf")
    (source / "model.safetensors").rename(source / "open_clip_pytorch_model.bin")
    assert run_zoo("convert", source, "--out", tmp_path / "out").code == 0
    assert_same(tmp_path / "out", expected)
    asked = run_zoo("convert", source, "--from", "open_clip", "--out", tmp_path / "other")
    assert asked.code == 2
    assert "by its tensors this is hf, not open_clip" in asked.stderr
    assert "Leave --from out, or say --from hf." in asked.stderr


def test_without_a_preprocessor_file_the_manifest_or_arch_says_it(
    write: Write, run_zoo: Run, expected: Path, arch: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "in", "hf")
    (source / "preprocessor_config.json").unlink()
    assert run_zoo("convert", source, "--out", tmp_path / "bare").code == 0
    assert native.read(tmp_path / "bare" / native.CONFIG_NAME).preprocess is None
    assert run_zoo("convert", source, "--arch", arch, "--out", tmp_path / "out").code == 0
    assert_same(tmp_path / "out", expected)


def test_arch_is_not_for_what_says_it_all(
    write: Write, run_zoo: Run, arch: Path, tmp_path: Path
) -> None:
    refused = run_zoo("convert", write(tmp_path / "in", "hf"), "--arch", arch)
    assert refused.code == 2
    assert "--arch is for weights without one" in refused.stderr


def test_paddlenlps_names_are_known_and_not_read(
    write: Write, run_zoo: Run, tmp_path: Path
) -> None:
    write(tmp_path / "in", "open_clip")
    run_zoo("convert", tmp_path / "in", "--out", tmp_path / "native")
    refused = run_zoo("export", tmp_path / "in", "--to", "hf", "--out", tmp_path / "no")
    assert refused.code == 6 and "`zoo convert` makes one" in refused.stderr
    run_zoo("export", tmp_path / "native", "--to", "paddlenlp", "--out", tmp_path / "nlp")
    for command in (("convert", tmp_path / "nlp"), ("diff", tmp_path / "nlp", tmp_path / "in")):
        refused = run_zoo(*command)
        assert refused.code == 4
        assert "PaddleNLP's names, which zoo writes and does not read" in refused.stderr
