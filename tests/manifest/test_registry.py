from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from zoo.errors import ConfigError, NotFoundError, UsageError
from zoo.manifest import Manifest, registry
from zoo.manifest.registry import Registry
from zoo.spec.count import expected_params

ZOO = registry()


def test_the_zoo_has_paddlemix_s_fourteen_models_and_more_each_in_a_file_of_its_name() -> None:
    assert len([m for m in ZOO.manifests if m.source.paddlemix]) == 14
    assert {m.id for m in ZOO.manifests if not m.source.paddlemix} >= {
        "clip-vit-base-patch32",
        "clip-vit-large-patch14",
        "metaclip-b16-400m",
        "metaclip-b16-fullcc2.5b",
        "metaclip-b32-400m",
        "metaclip-b32-fullcc2.5b",
        "metaclip-h14-fullcc2.5b",
        "metaclip-l14-400m",
        "metaclip-l14-fullcc2.5b",
    }
    assert {path.stem for path in ZOO.folder.glob("*.toml")} == {m.id for m in ZOO.manifests}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("DFN5B-CLIP-ViT-H-14", "DFN5B-CLIP-ViT-H-14"),
        ("apple/DFN5B-CLIP-ViT-H-14", "DFN5B-CLIP-ViT-H-14"),  # exact beats prefix of ...-378
        ("apple/DFN5B-CLIP-ViT-H-14-", "DFN5B-CLIP-ViT-H-14-378"),
        ("laion/CLIP-ViT-g-14", "CLIP-ViT-g-14-laion2B-s34B-b88K"),
        ("CLIP-ViT-bigG", "CLIP-ViT-bigG-14-laion2B-39B-b160k"),
        ("paddlemix/CLIP/DFN2B-CLIP-ViT-L-14", "DFN2B-CLIP-ViT-L-14"),
    ],
)
def test_a_name_an_alias_and_a_unique_prefix_find_their_entry(name: str, found: str) -> None:
    assert ZOO.find(name).id == found


@pytest.mark.parametrize("name", ["laion/CLIP-ViT-L-14", "CLIP-ViT-L-14"])
def test_an_ambiguous_prefix_names_its_candidates(name: str) -> None:
    for search in (ZOO.find, ZOO.match):
        with pytest.raises(UsageError) as caught:
            search(name)
        assert caught.value.exit_code == 2
        named = caught.value.what.partition("fits ")[2].split(", ")
        assert named == ["CLIP-ViT-L-14-DataComp.XL-s13B-b90K", "CLIP-ViT-L-14-laion2B-s32B-b82K"]


def test_what_fits_nothing_is_told_apart_from_what_is_ambiguous() -> None:
    assert ZOO.match("openai/clip-vit-base-patch16") is None


def test_a_typo_suggests_the_nearest() -> None:
    with pytest.raises(NotFoundError) as caught:
        ZOO.find("apple/DFN5B-CLIP-VIT-H-14-378")
    assert caught.value.remedy is not None
    assert "apple/DFN5B-CLIP-ViT-H-14-378" in caught.value.remedy
    with pytest.raises(NotFoundError) as caught:
        ZOO.find("zzz")
    assert "zoo list" in str(caught.value.remedy)


@pytest.mark.parametrize("name", ["vit-b-32", "CLIP-ViT-B-33", "lion/CLIP-ViT-B-32"])
def test_a_beginning_or_a_part_suggests_what_has_it(name: str) -> None:
    with pytest.raises(NotFoundError) as caught:
        ZOO.find(name)
    near = str(caught.value.remedy).removeprefix("Did you mean: ").split(", ")
    of_laion = [m.id for m in ZOO.manifests if m.id.startswith("CLIP-ViT-B-32-")]
    assert [other.removeprefix("laion/") for other in near] == of_laion


def test_what_fits_most_of_the_zoo_suggests_the_list() -> None:
    with pytest.raises(NotFoundError) as caught:
        ZOO.find("Clip")
    assert caught.value.remedy == "`zoo list` shows the models."


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("apple/DFN2B", "other/DFN2B"),  # the aliases differ, the id is the same
        ('id = "DFN2B', 'id = "other'),  # the id differs, an alias is the same
    ],
)
def test_two_entries_of_one_name_are_refused(tmp_path: Path, old: str, new: str) -> None:
    text = (ZOO.folder / "DFN2B-CLIP-ViT-L-14.toml").read_text()
    assert old in text
    (tmp_path / "first.toml").write_text(text)
    (tmp_path / "architectures").symlink_to(ZOO.folder / "architectures")
    assert len(Registry.load(tmp_path).manifests) == 1
    (tmp_path / "second.toml").write_text(text.replace(old, new))
    with pytest.raises(ConfigError, match=r"first\.toml and second\.toml have one name"):
        Registry.load(tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('architecture = "ViT-L-14"', 'architecture = "ViT-L-15"', "no architecture 'ViT-L-15'"),
        ("total = 427_616_513", "total = 427_616_514", "and ViT-L-14 has 427,616,513"),
        ("vision = 303_966_208", "vision = 303_966_209", "and ViT-L-14 has 303,966,208"),
    ],
)
def test_an_entry_is_held_against_its_architecture(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = (ZOO.folder / "DFN2B-CLIP-ViT-L-14.toml").read_text()
    assert old in text
    (tmp_path / "mine.toml").write_text(text.replace(old, new))
    (tmp_path / "architectures").symlink_to(ZOO.folder / "architectures")
    with pytest.raises(ConfigError) as caught:
        Registry.load(tmp_path)
    assert said in caught.value.what
    key = new.partition(" ")[0]
    place = f"params.{key}" if key != "architecture" else key
    assert caught.value.where == f"{tmp_path / 'mine.toml'}, key {place}"


def test_the_registry_is_read_only() -> None:
    with pytest.raises(TypeError):
        ZOO.names["mine"] = ZOO.manifests[0]  # type: ignore[index]
    with pytest.raises(AttributeError):
        ZOO.manifests = ()  # type: ignore[misc]


@pytest.mark.parametrize("manifest", ZOO.manifests, ids=lambda m: m.id)
def test_the_stated_count_is_the_architecture_s(manifest: Manifest) -> None:
    spec = ZOO.spec(manifest, quick_gelu=True)
    assert expected_params(spec) == (
        manifest.params.total,
        manifest.params.vision,
        manifest.params.text,
    )
    assert spec.vision and spec.preprocess
    assert spec.preprocess.size == spec.vision.image_size
    assert not manifest.architecture.endswith("-quickgelu")


def test_the_specification_takes_activation_and_preprocessing_from_the_manifest() -> None:
    spec = ZOO.spec(ZOO.find("DFN5B-CLIP-ViT-H-14"))
    assert spec.vision and spec.text and spec.preprocess
    assert (spec.vision.activation, spec.text.activation) == ("quick_gelu", "quick_gelu")
    assert spec.preprocess.resize == "squash"
    spec = ZOO.spec(ZOO.find("CLIP-ViT-L-14-laion2B"))
    assert spec.vision and spec.text and spec.preprocess
    assert (spec.vision.activation, spec.text.activation) == ("gelu", "gelu")
    assert spec.preprocess.mean == spec.preprocess.std == (0.5, 0.5, 0.5)
    assert spec.preprocess.resize == "shortest"


def test_a_contested_activation_is_not_guessed() -> None:
    contested = ZOO.find("DFN2B-CLIP-ViT-B-16")
    with pytest.raises(ConfigError, match="contested"):
        ZOO.spec(contested)
    for quick_gelu, activation in ((True, "quick_gelu"), (False, "gelu")):
        spec = ZOO.spec(contested, quick_gelu=quick_gelu)
        assert spec.text and spec.text.activation == activation


def test_an_unknown_architecture_suggests_the_nearest() -> None:
    with pytest.raises(ConfigError, match="Did you mean: ViT-B-32"):
        ZOO.architecture("ViT-B32")


def test_importing_the_registry_is_light() -> None:
    code = "import sys, zoo.manifest as m; m.registry(); print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert "zoo.manifest" in loaded
    assert not {"numpy", "paddle", "torch", "rich", "difflib"} & set(loaded)
