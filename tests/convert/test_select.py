from __future__ import annotations

import gc
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from zoo.convert.select import find_weights, is_converted, open_source
from zoo.errors import ConfigError, FormatError, NotFoundError, TruncatedError, UsageError, ZooError
from zoo.spec import CLIPSpec, native, open_clip

Small = Any  # tests/conftest.py's
PREFERRED = [
    "open_clip_model.safetensors",
    "open_clip_model.safetensors.index.json",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.safetensors.index.json",
    "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.bin.index.json",
]


@pytest.fixture
def folder(small: Small, tmp_path: Path) -> Path:
    saved: Path = small.save(tmp_path / "in")
    return saved


@pytest.mark.parametrize("first", range(len(PREFERRED)))
def test_files_are_preferred_in_this_order(tmp_path: Path, first: int) -> None:
    for name in (*PREFERRED[first:], "epoch_1.pt"):
        (tmp_path / name).touch()
    assert find_weights(tmp_path, None) == tmp_path / PREFERRED[first]


@pytest.mark.parametrize(
    "stem", ["model{}.safetensors", "pytorch_model{}.bin", "open_clip_model{}.safetensors"]
)
@pytest.mark.parametrize("family", [None, "hf"])
def test_shards_without_their_index_are_told(tmp_path: Path, stem: str, family: str | None) -> None:
    for number in (1, 2):
        (tmp_path / stem.format(f"-{number:05}-of-00002")).touch()
    with pytest.raises(NotFoundError, match=stem.format("") + r"\.index\.json"):
        find_weights(tmp_path, family)


def test_the_names_of_the_family_asked_for_are_told(tmp_path: Path) -> None:
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"several weight files: a\.safetensors, b") as caught:
        find_weights(tmp_path, "hf")
    assert caught.value.remedy == (
        "Name one of them instead of the folder; hf's is called model.safetensors or "
        "pytorch_model.bin."
    )


@pytest.mark.parametrize("name", ["epoch_1.pt", "a.bin", "b.safetensors", "c.pth"])
def test_a_single_file_of_another_name_is_taken(tmp_path: Path, name: str) -> None:
    for other in (name, "README.md", "open_clip_config.json"):
        (tmp_path / other).touch()
    (tmp_path / "folder.bin").mkdir()
    assert find_weights(tmp_path, None) == tmp_path / name


def test_of_several_none_is_guessed(tmp_path: Path) -> None:
    for name in ("epoch_2.pt", "epoch_1.pt"):
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match=r"several weight files: epoch_1\.pt, epoch_2\.pt"):
        find_weights(tmp_path, None)


def test_without_weights_what_is_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no weights are here") as caught:
        find_weights(tmp_path, None)
    assert "safetensors" in str(caught.value.remedy)


def test_a_converted_folder_is_told_apart(tmp_path: Path, tiny_spec: CLIPSpec) -> None:
    assert not is_converted(tmp_path)
    (tmp_path / "model.safetensors").touch()
    (tmp_path / native.CONFIG_NAME).write_text(json.dumps(native.dump(tiny_spec)))
    assert is_converted(tmp_path)
    with pytest.raises(UsageError, match="converted checkpoint already"):
        find_weights(tmp_path, None)


def test_a_folder_is_opened_with_its_configuration(folder: Path, small: Small) -> None:
    opened = open_source(folder)
    with opened.checkpoint as checkpoint:
        assert checkpoint.tensors.keys() == small.tensors.keys()
    assert opened.format.name == "open_clip"
    assert opened.spec == open_clip.read(folder / open_clip.CONFIG_NAME)
    assert [path.name for path in opened.files] == [open_clip.CONFIG_NAME, PREFERRED[0]]
    assert opened.nbytes == sum(path.stat().st_size for path in folder.iterdir())


def test_a_file_is_opened_with_the_configuration_beside_it(folder: Path) -> None:
    (folder / PREFERRED[0]).rename(folder / "best.safetensors")
    (folder / "other.pt").touch()
    opened = open_source(folder / "best.safetensors")
    opened.checkpoint.close()
    assert [path.name for path in opened.files] == [open_clip.CONFIG_NAME, "best.safetensors"]


def test_bare_weights_take_what_they_are_from_the_caller(folder: Path) -> None:
    spec = open_clip.read(folder / open_clip.CONFIG_NAME)
    with pytest.raises(UsageError, match="--arch is for weights without"):
        open_source(folder, spec=spec)
    (folder / open_clip.CONFIG_NAME).unlink()
    with pytest.raises(UsageError, match=r"no open_clip_config\.json beside it") as caught:
        open_source(folder)
    assert "--arch ViT-B-32" in str(caught.value.remedy)
    opened = open_source(folder, spec=spec)
    opened.checkpoint.close()
    assert opened.spec == spec
    assert [path.name for path in opened.files] == [PREFERRED[0]]


def damaged(folder: Path, how: str) -> None:
    weights = folder / PREFERRED[0]
    match how:
        case "no CLIP":
            save_file({"\x1b[31mred": np.zeros(1, np.float32)}, weights)
        case "no tensors":
            save_file({}, weights)
        case "truncated":
            os.truncate(weights, weights.stat().st_size - 1)
        case "empty":
            os.truncate(weights, 0)
        case "no JSON":
            (folder / open_clip.CONFIG_NAME).write_text("{")
        case "no CLIP's configuration":
            (folder / open_clip.CONFIG_NAME).write_text('{"new": 1}')
        case "no configuration":
            (folder / open_clip.CONFIG_NAME).unlink()


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ("no CLIP", FormatError),
        ("no tensors", FormatError),
        ("truncated", TruncatedError),
        ("empty", ZooError),
        ("no JSON", FormatError),
        ("no CLIP's configuration", ConfigError),
        ("no configuration", UsageError),
    ],
)
def test_what_can_t_be_opened_is_told_and_closed(
    folder: Path, how: str, kind: type[ZooError]
) -> None:
    damaged(folder, how)
    gc.collect()  # else what an earlier test has left may be closed in between
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    with pytest.raises(kind) as caught:
        open_source(folder)
    assert len(os.listdir("/proc/self/fd")) <= before  # noqa: PTH208
    assert "\x1b" not in str(caught.value)


def test_the_family_that_is_asked_for_has_to_be_there(folder: Path) -> None:
    opened = open_source(folder, family="open_clip")
    opened.checkpoint.close()
    with pytest.raises(ZooError):
        open_source(folder, family="hf")
