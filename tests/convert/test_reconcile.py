from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from zoo.convert.reconcile import contradictions, reconcile
from zoo.convert.stated import Stated
from zoo.errors import ConfigError, UsageError
from zoo.manifest import Manifest, registry
from zoo.spec import CLIPSpec

ZOO = registry()
H14 = ZOO.find("DFN5B-CLIP-ViT-H-14")
CONTESTED = ZOO.find("DFN2B-CLIP-ViT-B-16")


def stated(manifest: Manifest, **changes: Any) -> Stated:
    """What a file that agrees with the manifest states, but for ``vision__width=3``."""
    spec = ZOO.spec(manifest, quick_gelu=True)
    for name, value in changes.items():
        section, _, field = name.partition("__")
        spec = replace(spec, **{section: replace(getattr(spec, section), **{field: value})})
    return Stated(spec=spec)


def test_what_agrees_is_taken() -> None:
    for trust in (None, "file", "manifest"):
        assert reconcile(stated(H14), H14, trust=trust) == ZOO.spec(H14)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"preprocess__resize": "shortest"}, "resize: the file says shortest, the manifest squash"),
        ({"vision__activation": "gelu"}, "vision.activation: the file says gelu"),
        ({"text__activation": "gelu"}, "the manifest quick_gelu"),
        ({"preprocess__mean": (0.5, 0.5, 0.5)}, "preprocess.mean: the file says (0.5, 0.5, 0.5)"),
        ({"vision__layers": 31}, "vision.layers: the file says 31, the manifest 32"),
        ({"vision__norm_eps": 1e-6}, "the file says 1e-06, the manifest 1e-05"),
        ({"text__layer_scale": 0.1}, "the file says 0.1, the manifest None"),
    ],
)
def test_a_difference_is_decided_by_people(changes: dict[str, Any], said: str) -> None:
    ours = stated(H14, **changes)
    with pytest.raises(ConfigError, match=f"contradicts the manifest of {H14.id}") as caught:
        reconcile(ours, H14, trust=None)
    assert said in str(caught.value.remedy)
    assert "--trust file or --trust manifest" in str(caught.value.remedy)
    assert reconcile(ours, H14, trust="file") == ours.spec
    assert reconcile(ours, H14, trust="manifest") == ZOO.spec(H14)


def test_every_difference_is_listed() -> None:
    ours = stated(H14, preprocess__resize="shortest", vision__layers=31)
    with pytest.raises(ConfigError) as caught:
        reconcile(ours, H14, trust=None)
    assert str(caught.value.remedy).count("the file says") == 2


@pytest.mark.parametrize("activation", ["gelu", "quick_gelu"])
def test_a_contested_activation_is_the_file_s_to_say(activation: str) -> None:
    ours = stated(CONTESTED, vision__activation=activation, text__activation=activation)
    found = reconcile(ours, CONTESTED, trust=None)
    assert found == ours.spec
    assert found.vision and found.vision.activation == activation


def test_what_a_file_has_no_word_for_is_the_manifest_s_to_say() -> None:
    ours = replace(
        stated(H14, preprocess__resize="shortest", vision__activation="gelu"),
        unsaid=frozenset({"preprocess", "vision.activation"}),
    )
    assert reconcile(ours, H14, trust=None) == ZOO.spec(H14)


def test_a_model_of_its_own_has_only_its_file(tiny_spec: CLIPSpec) -> None:
    ours = Stated(spec=tiny_spec)
    for trust in (None, "file"):
        assert reconcile(ours, None, trust=trust) == tiny_spec
    with pytest.raises(UsageError, match="has no manifest"):
        reconcile(ours, None, trust="manifest")


def test_what_was_believed_is_what_a_conversion_is_held_against() -> None:
    file = Path("config.json")
    ours = replace(stated(H14, vision__activation="gelu"), files=(file,))
    claimed = ZOO.spec(H14)
    for trust, right, wrong, who in (
        ("file", ours.spec, claimed, "config.json says gelu"),
        ("manifest", claimed, ours.spec, "the manifest says quick_gelu"),
    ):
        assert contradictions(right, ours, H14, trust=trust) == []
        (said,) = contradictions(wrong, ours, H14, trust=trust)
        assert said.startswith("vision.activation is") and said.endswith(who)
    silent = replace(ours, unsaid=frozenset({"vision.activation"}))
    assert contradictions(claimed, silent, H14, trust=None) == []
    assert contradictions(claimed, replace(ours, files=()), None, trust=None) == []
