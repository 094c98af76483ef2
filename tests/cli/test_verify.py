"""``zoo verify``: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.folders import CHECKPOINT, names
from zoo.convert import provenance
from zoo.verify import bench, evidence


@pytest.fixture
def converted(run_zoo: Callable[..., object], tmp_path: Path) -> Path:
    out = tmp_path / "tiny"
    assert run_zoo("convert", "tiny-digits", "--out", out).code == 0  # type: ignore[attr-defined]
    return out


def test_the_first_three_rungs(run_zoo, converted: Path) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("verify", converted, "--upto", "roundtrip")
    assert ran.code == 0 and "status: converted" in ran.stdout
    found = evidence.read(converted / "evidence.json")
    assert found.height == 3 and found.subject.id == "tiny-digits"


def test_a_number_names_a_rung_too(run_zoo, converted: Path) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("verify", converted, "--upto", "2", "--json")
    rungs = json.loads(ran.stdout)["results"][0]["evidence"]["rungs"]
    assert [rung["status"] for rung in rungs] == [*["pass"] * 2, *["not run"] * 4]


def test_a_damaged_file_is_exit_5_and_named(run_zoo, converted: Path) -> None:  # type: ignore[no-untyped-def]
    weights = converted / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    ran = run_zoo("verify", converted)
    assert ran.code == 5 and "model.safetensors is not the one" in ran.stderr
    assert "convert it again, or take the folder anew from where it came" in ran.stderr
    assert "status: claimed" in ran.stdout
    ran = run_zoo("verify", converted, "--json")
    assert ran.code == 5 and "model.safetensors is not the one" in ran.stderr
    assert json.loads(ran.stdout)["results"][0]["status"] == "claimed", "it is one document"
    words = ("--zero-shot", "--data", "tiny-digits", "--emit", "clip-benchmark")
    ran = run_zoo("verify", converted, *words)
    assert (ran.code, ran.stdout) == (5, ""), "what failed, and not that nothing came of it"


def test_another_source_is_exit_3(run_zoo, converted: Path, tiny: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    other = shutil.copytree(tiny, tmp_path / "other")
    config = other / "open_clip_config.json"
    config.write_text(config.read_text().replace("2.61", "2.611"))
    ran = run_zoo("verify", converted, "--source", other, "--upto", "3")
    assert ran.code == 3 and "not the one" in ran.stderr


@pytest.fixture
def without_a_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.verify.reference_side._installed", lambda: False)
    monkeypatch.setattr("zoo.verify.reference_side.find_goldens", lambda digest: None)


@pytest.mark.usefixtures("without_a_reference")
def test_a_rung_that_was_asked_for_and_did_not_run_is_exit_8(run_zoo, converted: Path) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("verify", converted, "--upto", "parity")
    assert ran.code == 8 and "open_clip" in ran.stderr and "reference" in ran.stderr
    assert run_zoo("verify", converted).code == 0  # nobody asked for it
    assert run_zoo("verify", converted, "--strict").code == 8
    assert ran.stderr.endswith("'paddle-clip-zoo[reference]'\n"), "a line of its own, to be copied"


@pytest.mark.usefixtures("without_a_reference")
def test_controls_that_could_not_run_are_not_missed(run_zoo, converted: Path) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("verify", converted, "--self-test")
    assert ran.code == 8 and "'a transpose left out' did not run: open_clip" in ran.stderr
    assert "MISSED" not in ran.stdout and ran.stdout.count("caught") == 1
    ran = run_zoo("verify", converted, "--self-test", "--json")
    controls = json.loads(ran.stdout)["results"][0]["controls"]
    assert [control["caught"] for control in controls] == [*[None] * 6, True]
    ran = run_zoo("verify", converted, "--self-test", "--upto", "files")
    assert ran.code == 0 and "epsilon" not in ran.stdout, "nobody asked for its rung"


@pytest.mark.parametrize("rung", ["check_files", "check_structure"])
@pytest.mark.parametrize("harm", ["written to", "replaced"])
def test_a_checkpoint_that_changes_meanwhile_earns_nothing(
    run_zoo,  # type: ignore[no-untyped-def]
    converted: Path,
    monkeypatch: pytest.MonkeyPatch,
    rung: str,
    harm: str,
) -> None:
    """What one rung saw is not what the next one sees, so that no status is anyone's."""
    honest = getattr(bench, rung)

    def meanwhile(*arguments: object) -> object:
        outcome = honest(*arguments)
        weights = converted / "model.safetensors"
        if harm == "written to":
            os.utime(weights)
        else:
            shutil.copytree(converted, converted.with_name("other"))
            shutil.rmtree(converted)
            converted.with_name("other").rename(converted)
        return outcome

    monkeypatch.setattr(bench, rung, meanwhile)
    ran = run_zoo("verify", converted, "--upto", "structure")
    assert ran.code == 5 and "changed while it was verified" in ran.stderr
    assert "status" not in ran.stdout
    assert names(converted) == CHECKPOINT


def test_a_source_that_changes_meanwhile_proves_nothing(
    run_zoo,  # type: ignore[no-untyped-def]
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What rung 3 compared is not what the reference reads after it."""
    source = shutil.copytree(tiny, tmp_path / "in", ignore=shutil.ignore_patterns("goldens"))
    assert run_zoo("convert", source, "--out", tmp_path / "out").code == 0
    honest = bench.check_roundtrip

    def meanwhile(*arguments: object) -> object:
        outcome = honest(*arguments)  # type: ignore[arg-type]
        os.utime(source / "open_clip_model.safetensors")
        return outcome

    monkeypatch.setattr(bench, "check_roundtrip", meanwhile)
    ran = run_zoo("verify", tmp_path / "out", "--upto", "roundtrip")
    assert ran.code == 5 and "open_clip_model.safetensors" in ran.stderr
    assert names(tmp_path / "out") == CHECKPOINT


def test_evidence_of_the_same_tensors_under_another_configuration_is_found(
    run_zoo,  # type: ignore[no-untyped-def]
    tiny: Path,
    tmp_path: Path,
) -> None:
    """Nobody sees an activation in the tensors: what one conversion has earned is not the other's,
    and a short climb does not keep it."""
    source = shutil.copytree(tiny, tmp_path / "in", ignore=shutil.ignore_patterns("goldens"))
    for name, activation in (("one", "true"), ("two", "false")):
        config = json.loads((source / "open_clip_config.json").read_text())
        config["model_cfg"]["quick_gelu"] = json.loads(activation)
        (source / "open_clip_config.json").write_text(json.dumps(config))
        out = ("--out", tmp_path / name, "--id", "own/model")
        assert run_zoo("convert", source, *out).code == 0
    records = [provenance.read(tmp_path / name) for name in ("one", "two")]
    assert records[0].tensors_digest == records[1].tensors_digest
    run_zoo("verify", tmp_path / "one", "--upto", "structure")
    shutil.copy(tmp_path / "one" / "evidence.json", tmp_path / "two")
    ran = run_zoo("verify", tmp_path / "two", "--upto", "files")
    assert ran.code == 5 and "another configuration" in ran.stderr
    assert evidence.read(tmp_path / "two" / "evidence.json").height == 0


def test_a_shorter_climb_keeps_the_longer_ones_evidence(run_zoo, converted: Path) -> None:  # type: ignore[no-untyped-def]
    run_zoo("verify", converted, "--upto", "3")
    before = (converted / "evidence.json").read_bytes()
    run_zoo("verify", converted, "--upto", "1")
    assert (converted / "evidence.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("./nowhere",), 6, "no such"),
        (("CLIP-ViT-B-32-laion2B",), 6, "zoo convert CLIP-ViT-B-32-laion2B"),
        (("tiny-digits", "--upto", "seven"), 2, "no rung"),
        (("tiny-digits", "--upto", "files", "--record"), 2, "--record"),
    ],
)
def test_what_can_not_be(run_zoo, words: tuple[str, ...], code: int, said: str) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("verify", *words)
    assert ran.code == code and said in ran.stderr


def test_without_a_model_it_takes_all_there_are(run_zoo) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("verify", "--upto", "files", "--json")
    folders = [result["folder"] for result in json.loads(ran.stdout)["results"]]
    assert ran.code == 0 and len(folders) == 1 and "tiny-digits" in folders[0]
