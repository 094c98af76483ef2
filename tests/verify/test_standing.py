from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from tests.folders import converted_of
from zoo.errors import ZooError
from zoo.manifest import Registry, registry
from zoo.verify import evidence as ev
from zoo.verify.standing import Finding, findings, standing

ID = "CLIP-ViT-B-32-laion2B-s34B-b79K"
SUBJECT = ev.Subject(id=ID, tensors_digest="ab" * 32, config_digest="cd" * 32)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def zoo(tmp_path: Path, home: Path) -> Registry:
    (tmp_path / "manifests" / "evidence").mkdir(parents=True)
    return replace(registry(), folder=tmp_path / "manifests")


def evidence(passed: int, subject: ev.Subject = SUBJECT) -> ev.Evidence:
    return ev.seal(
        subject=subject,
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


def verified(home: Path, folder: str, passed: int) -> Path:
    """A conversion in the cache, with evidence about it."""
    path = home / "models" / ID / folder
    record = converted_of(path, ID)
    ev.write(path / "evidence.json", evidence(passed, ev.Subject.of(record)))
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
    another = msgspec.structs.replace(SUBJECT, id="another")
    ev.write(zoo.folder / "evidence" / f"{ID}.json", evidence(5, another))
    (finding,) = found(zoo)
    assert (finding.status, finding.problem) == ("claimed", "it is about another")


def test_a_checkpoint_s_evidence_is_about_itself(zoo: Registry, home: Path) -> None:
    verified(home, "one-float32", 3)
    two = verified(home, "two-float16", 5)
    (home / "models" / ID / ".three-float32.partial").mkdir()
    assert standing(found(zoo)) == "parity"
    ev.write(two / "evidence.json", evidence(5))
    worthless, one = sorted(found(zoo), key=lambda finding: finding.status)
    assert (one.status, one.problem) == ("converted", None)
    assert (worthless.status, worthless.evidence) == ("claimed", None)
    assert "other tensors" in str(worthless.problem)
    assert standing(found(zoo)) == "converted"


def test_a_checkpoint_without_evidence_is_named(zoo: Registry, home: Path) -> None:
    folder = verified(home, "one-float32", 5)
    (folder / "evidence.json").unlink()
    (finding,) = found(zoo)
    assert (finding.where, finding.status) == (folder, "claimed")
    assert "not verified yet" in str(finding.problem)


@pytest.mark.parametrize("damage", [b"", b"{}", b"nonsense"])
def test_damaged_files_count_for_nothing_and_stop_nothing(
    zoo: Registry, home: Path, damage: bytes
) -> None:
    folder = verified(home, "one-float32", 5)
    (folder / "provenance.json").write_bytes(damage)
    (finding,) = found(zoo)
    assert (finding.status, finding.evidence) == ("claimed", None)
    assert "provenance.json" in str(finding.problem)
    (folder / "evidence.json").write_bytes(damage)
    (finding,) = found(zoo)
    assert (finding.status, finding.evidence) == ("claimed", None)
    with pytest.raises(ZooError):
        ev.read(folder / "evidence.json")


def other_weights(folder: Path) -> None:
    """Another model's of the same size, in the place of those that were verified."""
    other = folder.parent / "other"
    converted_of(other, ID, value=2.0)
    (other / "model.safetensors").rename(folder / "model.safetensors")
    shutil.rmtree(other)


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda folder: (folder / "config.json").write_text("[]"), "config.json"),
        (lambda folder: (folder / "config.json").write_text("{ }"), "config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "model.safetensors"),
        (lambda folder: os.truncate(folder / "model.safetensors", 9), "model.safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(bytes(168)), "relied on"),
        (other_weights, "the tensor bias"),
    ],
)
def test_evidence_does_not_outlive_what_it_is_about(
    zoo: Registry, home: Path, harm: Callable[[Path], object], word: str
) -> None:
    folder = verified(home, "one-float32", 5)
    assert (folder / "model.safetensors").stat().st_size == 168
    assert standing(found(zoo)) == "parity"
    harm(folder)
    (finding,) = found(zoo)
    assert (finding.status, finding.evidence) == ("claimed", None)
    assert word in str(finding.problem), finding.problem


def test_evidence_about_the_same_tensors_under_another_configuration_counts_for_nothing(
    zoo: Registry, home: Path
) -> None:
    folder = verified(home, "one-float32", 5)
    subject = ev.read(folder / "evidence.json").subject
    other = msgspec.structs.replace(subject, config_digest="cd" * 32)
    ev.write(folder / "evidence.json", evidence(5, other))
    (finding,) = found(zoo)
    assert finding.status == "claimed" and "another configuration" in str(finding.problem)


def test_a_folder_in_another_models_place_is_not_that_model(zoo: Registry, home: Path) -> None:
    other = "CLIP-ViT-B-32-DataComp.XL-s13B-b90K"
    place = verified(home, "one-float32", 5).parent
    place.rename(place.with_name(other))
    (finding,) = findings(zoo, zoo.find(other))
    assert finding.status == "claimed"
    assert finding.problem == f"this is {ID}, in another model's place"
