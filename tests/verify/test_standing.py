from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from zoo.errors import ZooError
from zoo.manifest import Registry, registry
from zoo.verify import evidence as ev
from zoo.verify.standing import Finding, findings, standing

ID = "CLIP-ViT-B-32-laion2B-s34B-b79K"
ONE, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def zoo(tmp_path: Path, home: Path) -> Registry:
    (tmp_path / "manifests" / "evidence").mkdir(parents=True)
    return replace(registry(), folder=tmp_path / "manifests")


def evidence(passed: int, *, tensors_digest: str = ONE, model: str = ID) -> ev.Evidence:
    return ev.seal(
        subject=ev.Subject(id=model, tensors_digest=tensors_digest),
        environment={},
        command=["zoo", "verify"],
        rungs=tuple(
            ev.Rung(
                number=number,
                name="rung",
                status="pass" if number <= passed else "not run",
                reason=None if number <= passed else "not asked for",
                figures={},
                bounds={},
                measured_on=None,
            )
            for number in range(1, 7)
        ),
    )


def convert(home: Path, folder: str, *, tensors_digest: str = ONE) -> Path:
    path = home / "models" / ID / folder
    path.mkdir(parents=True)
    provenance = {"tensors_digest": tensors_digest, "tool": "zoo"}
    (path / "provenance.json").write_text(json.dumps(provenance))
    return path


def found(zoo: Registry) -> tuple[Finding, ...]:
    return findings(zoo, zoo.find(ID))


def test_without_evidence_a_model_is_what_people_claim(zoo: Registry) -> None:
    assert found(zoo) == ()
    assert standing(()) == "claimed"


def test_recorded_evidence_speaks_for_the_tensors_it_names(zoo: Registry) -> None:
    ev.write(zoo.folder / "evidence" / f"{ID}.json", evidence(5))
    (finding,) = found(zoo)
    assert (finding.status, finding.problem) == ("parity", None)


def test_recorded_evidence_about_another_model_counts_for_nothing(zoo: Registry) -> None:
    ev.write(zoo.folder / "evidence" / f"{ID}.json", evidence(5, model="another"))
    (finding,) = found(zoo)
    assert (finding.status, finding.problem) == ("claimed", "it is about another")


def test_a_checkpoint_s_evidence_is_about_its_own_tensors(zoo: Registry, home: Path) -> None:
    ev.write(convert(home, "one-float32") / "evidence.json", evidence(3))
    ev.write(convert(home, "two-float16") / "evidence.json", evidence(5, tensors_digest=OTHER))
    (home / "models" / ID / ".three-float32.partial").mkdir()
    two, one = sorted(found(zoo), key=lambda finding: finding.status)
    assert (one.status, one.problem) == ("converted", None)
    assert two.status == "claimed"
    assert two.evidence is None
    assert "other tensors" in str(two.problem)
    assert standing(found(zoo)) == "converted"


def test_a_checkpoint_without_evidence_is_named(zoo: Registry, home: Path) -> None:
    folder = convert(home, "one-float32")
    (finding,) = found(zoo)
    assert (finding.where, finding.status) == (folder, "claimed")
    assert "not verified yet" in str(finding.problem)


@pytest.mark.parametrize("damage", [b"", b"{}", b"nonsense"])
def test_damaged_files_count_for_nothing_and_stop_nothing(
    zoo: Registry, home: Path, damage: bytes
) -> None:
    folder = convert(home, "one-float32")
    ev.write(folder / "evidence.json", evidence(5))
    (folder / "provenance.json").write_bytes(damage)
    (finding,) = found(zoo)
    assert (finding.status, finding.evidence) == ("claimed", None)
    assert "provenance.json" in str(finding.problem)
    (folder / "evidence.json").write_bytes(damage)
    (finding,) = found(zoo)
    assert (finding.status, finding.evidence) == ("claimed", None)
    with pytest.raises(ZooError):
        ev.read(folder / "evidence.json")
