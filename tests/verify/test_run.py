"""What is kept as the zoo's own evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.folders import converted_of
from zoo.convert import provenance
from zoo.errors import UsageError
from zoo.manifest import registry
from zoo.verify import evidence
from zoo.verify.evidence import Evidence, MeasuredOn, Subject
from zoo.verify.ladder import NAMES, number
from zoo.verify.outcome import failed as fail
from zoo.verify.outcome import not_run, passed
from zoo.verify.run import Result, _keep, record

ID = "CLIP-ViT-B-32-laion2B-s34B-b79K"


@pytest.mark.parametrize(
    ("repo", "kept"),
    [
        ("laion/CLIP-ViT-B-32-laion2B-s34B-b79K", True),
        ("somebody/finetuned", False),
        (None, False),
    ],
)
def test_only_what_comes_from_the_manifests_own_source_is_recorded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repo: str | None, kept: bool
) -> None:
    """Any weights of the right shapes pass five rungs: the name alone does not make them the
    model's."""
    zoo = replace(registry(), folder=tmp_path / "manifests")
    (zoo.folder / "evidence").mkdir(parents=True)
    monkeypatch.setattr("zoo.verify.run.registry", lambda: zoo)
    folder = tmp_path / "converted"
    content = msgspec.structs.asdict(converted_of(folder, ID))
    for name in ("schema_version", "tensors_digest", "digest"):
        del content[name]
    content["source"] = msgspec.structs.replace(content["source"], repo=repo)
    sealed = provenance.seal(**content)
    (folder / "provenance.json").write_bytes(provenance.encode(sealed))
    outcomes = {name: not_run("not asked for") for name in NAMES}
    result = Result(
        folder=folder,
        evidence=evidence.seal(
            subject=Subject.of(sealed), environment={}, command=[], rungs=number(outcomes)
        ),
        outcomes=outcomes,
        controls=(),
        manifest=zoo.find(ID),
        status="claimed",
    )
    path = zoo.folder / "evidence" / f"{ID}.json"
    if kept:
        assert record(result) == path and evidence.read(path) == result.evidence
    else:
        with pytest.raises(UsageError, match=repo or "a local folder"):
            record(result)
        assert not path.exists()


def climbed(*, whole: bool, failed: bool = False, top1: float = 66.56) -> Evidence:
    """Evidence of six rungs, the last on all of ImageNet or on a part of it."""
    claim = registry().find(ID).judged_claim
    assert claim is not None
    beside = {"claimed": str(claim), "source": claim.source, "protocol": claim.protocol}
    outcomes = {name: passed({}) for name in NAMES}
    figures = {"top-1": top1, "precision": "float32", "claims": [beside]}
    on = MeasuredOn(name=claim.dataset, items=50_000 if whole else 100, whole=whole)
    outcomes["zero-shot"] = (
        fail("far", figures, measured_on=on) if failed else passed(figures, measured_on=on)
    )
    subject = Subject(id=ID, tensors_digest="ab" * 32, config_digest="cd" * 32)
    return evidence.seal(subject=subject, environment={}, command=[], rungs=number(outcomes))


@pytest.mark.parametrize(
    ("first", "second", "left"),
    [
        ({"whole": True}, {"whole": False}, "first"),
        ({"whole": False}, {"whole": True}, "second"),
        ({"whole": True}, {"whole": True, "top1": 66.5}, "second"),
        ({"whole": False}, {"whole": False, "top1": 66.5}, "second"),
        ({"whole": True}, {"whole": False, "failed": True}, "second"),
    ],
)
def test_what_shows_less_does_not_replace_what_showed_more(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], left: str
) -> None:
    """A quick look at a few pictures costs nobody the status that the whole set has earned."""
    path, claim = tmp_path / "evidence.json", registry().find(ID).judged_claim
    both = {"first": climbed(**first), "second": climbed(**second)}
    for found in both.values():
        _keep(path, found, claim)
    assert evidence.read(path) == both[left]
