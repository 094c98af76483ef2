"""What is kept as the zoo's own evidence."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.folders import converted_of
from zoo.convert import provenance
from zoo.errors import UsageError
from zoo.manifest import registry
from zoo.verify import evidence
from zoo.verify.evidence import Subject
from zoo.verify.ladder import NAMES, number
from zoo.verify.outcome import not_run
from zoo.verify.run import Result, record

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
