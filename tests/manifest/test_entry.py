from __future__ import annotations

import json
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest

from zoo.errors import ConfigError, FormatError
from zoo.manifest import Manifest, registry
from zoo.manifest.entry import PROTOCOL, ParamsClaim, Top1Claim, read

MINIMAL = """\
schema_version = 1
id = "tiny"
architecture = "ViT-B-32"
quick_gelu = false
license = "mit"
[source]
hub = "someone/tiny"
[preprocess]
size = 224
mean = [0.5, 0.5, 0.5]
std = [0.5, 0.5, 0.5]
interpolation = "bicubic"
resize = "shortest"
[params]
total = 151_277_313
"""

# PaddleMIX's figures that are not the models' own.
DISPUTED_PARAMS = {
    "CLIP-ViT-B-32-256x256-DataComp-s34B-b86K": "151.28",
    "DFN5B-CLIP-ViT-H-14": "986.71",
}
DISPUTED_TOP1 = {"CLIP-ViT-B-32-laion2B-s34B-b79K": "66.5", "DFN5B-CLIP-ViT-H-14-378": "84.2"}


@pytest.fixture
def toml(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.toml"
    path.write_text(MINIMAL)
    return path


def models() -> tuple[Manifest, ...]:
    return registry().manifests


PADDLEMIX = [manifest for manifest in models() if manifest.source.paddlemix]


def test_a_minimal_manifest_is_read(toml: Path) -> None:
    manifest = read(toml)
    assert manifest.id == "tiny"
    assert manifest.names == ("tiny",)
    assert manifest.source.revision is None
    assert manifest.judged_claim is None


@pytest.mark.parametrize(
    ("old", "new", "what", "key"),
    [
        ('hub = "someone/tiny"', 'hub = "someone/tiny"\nrevison = "abc"', "revison", "key source"),
        ("total = 151_277_313", 'total = "many"', "Expected `int`", "key params.total"),
        ("total = 151_277_313", "total = true", "Expected `int`", "key params.total"),
        ("size = 224\n", "", "missing required field `size`", "key preprocess"),
        ("[0.5, 0.5, 0.5]\nstd", "[0.5, 0.5]\nstd", "length 3", "key preprocess.mean"),
        ('"bicubic"', '"nearest"', "nearest", "key preprocess.interpolation"),
        ("quick_gelu = false", 'quick_gelu = "maybe"', "maybe", "key quick_gelu"),
        ("quick_gelu = false\n", "", "missing required field `quick_gelu`", "tiny.toml"),
        ("schema_version = 1", "schema_version = 2", "2", "key schema_version"),
        ('id = "tiny"', 'id = "../tiny"', "regex", "key id"),
    ],
)
def test_a_mistake_is_refused_with_file_and_key(
    toml: Path, old: str, new: str, what: str, key: str
) -> None:
    assert old in MINIMAL
    toml.write_text(MINIMAL.replace(old, new, 1))
    with pytest.raises(ConfigError) as caught:
        read(toml)
    assert what in caught.value.what
    assert caught.value.where is not None
    assert "tiny.toml" in caught.value.where
    assert caught.value.where.endswith(key)


def test_what_is_not_toml_is_refused(toml: Path) -> None:
    toml.write_text("id = ")
    with pytest.raises(FormatError, match=r"not TOML.*tiny\.toml"):
        read(toml)


def test_a_manifest_is_frozen() -> None:
    with pytest.raises(AttributeError):
        models()[0].license = "mine"  # type: ignore[misc]


def params_claim(value: float, decimals: int | None = None) -> ParamsClaim:
    return ParamsClaim(value=value, decimals=decimals, unit="M", source="somebody")


def test_rounding_follows_the_decimals_that_the_source_gives() -> None:
    assert params_claim(66.5).rounding == pytest.approx(0.05)
    assert params_claim(66.56).rounding == pytest.approx(0.005)
    assert params_claim(66.5, decimals=3).rounding == pytest.approx(0.0005)
    assert str(params_claim(66.5, decimals=3)) == "66.500"


def test_a_claim_agrees_within_its_rounding_and_no_further() -> None:
    assert params_claim(427.62).agrees(427.616513)
    assert params_claim(0.5).agrees(0.55)  # half a unit is not yet another figure
    assert not params_claim(986.71).agrees(986.109441)
    assert not params_claim(66.5).agrees(66.56)
    assert params_claim(66.5).agrees(66.56, rounding=0.01)


@pytest.mark.parametrize("manifest", models(), ids=lambda m: m.id)
def test_every_manifest_states_what_is_known(manifest: Manifest) -> None:
    assert manifest.source.hub in manifest.aliases
    judged = manifest.judged_claim
    if manifest.source.open_clip:  # then its table has the model
        assert judged is not None
        assert judged.source.startswith("open_clip docs/openclip_results.csv")
    if judged is not None:
        assert (judged.protocol, judged.dataset) == (PROTOCOL, "imagenet1k")


@pytest.mark.parametrize("manifest", PADDLEMIX, ids=lambda m: m.id)
def test_paddlemix_s_models_have_its_link_and_its_figures(manifest: Manifest) -> None:
    assert f"paddlemix/CLIP/{manifest.id}" in manifest.aliases
    assert manifest.source.paddlemix is not None
    assert f"/{manifest.id}/" in manifest.source.paddlemix
    assert [claim.source for claim in manifest.claims.params] == ["PaddleMIX"]
    assert manifest.claims.top1[0].source == "PaddleMIX"


def test_the_disputes_with_paddlemix_are_the_known_ones() -> None:
    params = {m.id: str(claim) for m in PADDLEMIX for claim in m.disputed_params()}
    assert params == DISPUTED_PARAMS
    top1 = {
        m.id: str(claim)
        for m in PADDLEMIX
        for claim in m.disputed_top1()
        if claim.source == "PaddleMIX"
    }
    assert top1 == DISPUTED_TOP1


def test_claims_on_another_data_set_are_not_held_against_each_other() -> None:
    manifest = registry().find("CLIP-ViT-B-32-laion2B-s34B-b79K")
    other = Top1Claim(value=10.0, dataset="cifar10", source="somebody", protocol="unstated")
    claims = msgspec.structs.replace(manifest.claims, top1=(*manifest.claims.top1, other))
    assert other not in msgspec.structs.replace(manifest, claims=claims).disputed_top1()


def test_only_one_activation_is_left_to_the_file_and_says_why() -> None:
    (contested,) = [m for m in models() if m.quick_gelu == "from-file"]
    assert contested.id == "DFN2B-CLIP-ViT-B-16"
    assert any("contested" in note for note in contested.notes)


@pytest.mark.parametrize("manifest", models(), ids=lambda m: m.id)
def test_every_manifest_validates_against_the_schema(manifest: Manifest) -> None:
    folder = registry().folder
    schema = json.loads((folder / "schema.json").read_text())
    table = tomllib.loads((folder / f"{manifest.id}.toml").read_text())
    jsonschema.validate(table, schema)
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        jsonschema.validate({**table, "colour": "red"}, schema)
