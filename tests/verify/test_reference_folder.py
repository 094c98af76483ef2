"""Which library is compared with, and what it is given to read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.convert import provenance
from zoo.convert.native import open_native
from zoo.convert.readers import open_checkpoint
from zoo.convert.select import Opened, open_source
from zoo.spec import CLIPSpec, hf, native, open_clip
from zoo.verify.reference_folder import family_for, make_folder

Run = Callable[..., Any]


@pytest.fixture
def as_hf(converted_once: Path, run_zoo: Run, tmp_path: Path) -> Path:
    """The bundled checkpoint in transformers' format."""
    folder = tmp_path / "as-hf"
    assert run_zoo("export", converted_once, "--to", "hf", "--out", folder).code == 0
    return folder


def record(format: str, converted: Path) -> provenance.Provenance:
    from msgspec.structs import replace as replace_struct

    found = provenance.read(converted)
    return replace_struct(found, source=replace_struct(found.source, format=format))


def spec_of(converted: Path) -> CLIPSpec:
    return native.read(converted / native.CONFIG_NAME)


def test_transformers_is_the_reference_where_it_is_the_source_or_open_clip_has_no_such_model(
    converted_once: Path,
) -> None:
    spec = spec_of(converted_once)
    assert spec.vision and spec.text
    for name, family in (("open_clip", "open_clip"), ("paddlemix", "open_clip"), ("hf", "hf")):
        assert family_for(spec, record(name, converted_once)) == family
    mixed = replace(spec, vision=replace(spec.vision, activation="gelu"))
    for other in (mixed, replace(spec, text=None), replace(spec, vision=None, preprocess=None)):
        assert family_for(other, record("paddlemix", converted_once)) == "hf"


def made(folder: Path, family: str, converted: Path, opened: Opened | None) -> Path:
    with open_native(converted) as checkpoint:
        make_folder(folder, family, checkpoint, spec_of(converted), opened)
    return folder


def test_the_source_s_own_files_are_linked(
    tiny: Path, converted_once: Path, tmp_path: Path
) -> None:
    opened = open_source(tiny)
    with opened.checkpoint:
        folder = made(tmp_path / "work", "open_clip", converted_once, opened)
    assert {path.name: path.resolve() for path in folder.iterdir()} == {
        name: (tiny / name).resolve()
        for name in ("open_clip_config.json", "open_clip_model.safetensors")
    }


def test_a_file_of_another_name_gets_the_one_that_the_library_looks_for(
    as_hf: Path, converted_once: Path, tmp_path: Path
) -> None:
    renamed = (as_hf / "model.safetensors").rename(as_hf / "mine.safetensors")
    opened = open_source(as_hf)
    with opened.checkpoint:
        folder = made(tmp_path / "work", "hf", converted_once, opened)
    assert (folder / "model.safetensors").resolve() == renamed
    assert {path.name for path in folder.iterdir()} == {
        "config.json",
        "preprocessor_config.json",
        "model.safetensors",
    }


def test_without_the_source_its_tensors_are_made_again(
    tiny: Path, converted_once: Path, tmp_path: Path
) -> None:
    folder = made(tmp_path / "work", "open_clip", converted_once, None)
    assert open_clip.read(folder / open_clip.CONFIG_NAME) == spec_of(converted_once)
    with (
        open_checkpoint(folder / "open_clip_model.safetensors") as ours,
        open_checkpoint(tiny / "open_clip_model.safetensors") as theirs,
    ):
        assert ours.tensors.keys() == theirs.tensors.keys()
        for name in theirs.tensors:
            assert ours.tensor(name).tobytes() == theirs.tensor(name).tobytes(), name


def test_a_source_that_says_less_is_completed(
    as_hf: Path, converted_once: Path, tmp_path: Path
) -> None:
    """The conversion's specification counts, where the source has no word or another."""
    (as_hf / "preprocessor_config.json").unlink()
    opened = open_source(as_hf)
    with opened.checkpoint:
        folder = made(tmp_path / "work", "hf", converted_once, opened)
    assert not any(path.is_symlink() for path in folder.iterdir())
    written = json.loads((folder / "preprocessor_config.json").read_text())
    assert written["size"] == {"shortest_edge": 32}
    config = json.loads((folder / "config.json").read_text())
    assert hf.parse(config, "").vision == spec_of(converted_once).vision


def test_parity_needs_pictures_even_where_nobody_says_how_to_prepare_them(
    converted_once: Path, tmp_path: Path
) -> None:
    spec = replace(spec_of(converted_once), preprocess=None)
    with open_native(converted_once) as checkpoint:
        make_folder(tmp_path / "work", "hf", checkpoint, spec, None)
    assert (tmp_path / "work" / "preprocessor_config.json").is_file()
