from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.folders import converted_of
from zoo.cli import main
from zoo.verify import evidence as ev

B32 = "CLIP-ViT-B-32-laion2B-s34B-b79K"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["show", *words]) == 0
    return capsys.readouterr().out


def verified_folder(cache: Path, *, reason: str) -> Path:
    """A converted checkpoint with evidence up to rung 3."""
    folder = cache / "models" / B32 / "0123-float32"
    record = converted_of(folder, B32)
    rungs = tuple(
        ev.Rung(
            number=number,
            name=name,
            status="pass" if number < 4 else "not run",
            reason=None if number < 4 else reason,
            figures={"tensors": 302} if number == 2 else {},
            bounds={},
            measured_on=None,
        )
        for number, name in enumerate(
            ("files", "structure", "roundtrip", "parity", "pipeline", "zero-shot"), start=1
        )
    )
    evidence = ev.seal(subject=ev.Subject.of(record), environment={}, command=["zoo"], rungs=rungs)
    ev.write(folder / "evidence.json", evidence)
    return folder


def test_claims_stand_side_by_side_with_source_and_protocol(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = shown(capsys, "laion/CLIP-ViT-B-32-laion2B")
    claims = text.partition("claims")[2].partition("no evidence")[0]
    assert "*66.5 %" in claims
    assert " 66.56 %" in claims
    assert "*66.500 %" in claims
    assert "openclip_results.csv" in claims
    assert "CLIP_benchmark 1.6.2" in claims
    assert "unstated" in claims
    table = [line for line in text.splitlines() if not line.startswith("https:")]
    assert max(map(len, table)) <= 80


@pytest.mark.parametrize(
    ("model", "exact", "claimed"),
    [
        ("CLIP-ViT-B-32-256x256-DataComp-s34B-b86K", "151.29 M", "*151.28 M"),
        ("DFN5B-CLIP-ViT-H-14", "986.11 M", "*986.71 M"),
        ("DFN5B-CLIP-ViT-H-14-378", "986.71 M", " 986.71 M"),
    ],
)
def test_the_claimed_count_stands_beside_the_exact_one(
    capsys: pytest.CaptureFixture[str], model: str, exact: str, claimed: str
) -> None:
    text = shown(capsys, model)
    assert f"parameters   {exact}  the architecture" in text
    assert f"parameters  {claimed}  PaddleMIX" in text


def test_licence_source_and_links_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "apple/DFN2B-CLIP-ViT-B-16")
    assert "apple-amlr" in text
    assert "apple/DFN2B-CLIP-ViT-B-16, unpinned" in text
    assert "activation as the checkpoint's own configuration says" in text
    assert "The activation is contested" in text
    link = "https://bj.bcebos.com/v1/paddlenlp/models/community/paddlemix/CLIP/DFN2B-CLIP-ViT-B-16/"
    assert link + "model_state.pdparams" in text.splitlines()


def test_evidence_is_shown_rung_by_rung(capsys: pytest.CaptureFixture[str], cache: Path) -> None:
    folder = verified_folder(cache, reason="not asked for [bold]\x1b[31m")
    text = shown(capsys, B32)
    assert "status        converted" in text
    assert str(folder)[:40] in text
    assert "2 structure  pass, tensors 302" in text
    assert "4 parity     not run, not asked for [bold]\\x1b[31m" in text  # text, and no command


def test_the_document_has_manifest_disputes_and_evidence(
    capsys: pytest.CaptureFixture[str], cache: Path
) -> None:
    folder = verified_folder(cache, reason="not asked for")
    document = json.loads(shown(capsys, B32, "--json"))
    assert document["manifest"]["id"] == B32
    assert document["judged_claim"]["value"] == 66.56
    assert [claim["value"] for claim in document["disputed_top1"]] == [66.5, 66.5]
    assert document["disputed_params"] == []
    assert document["status"] == "converted"
    (finding,) = document["evidence"]
    assert finding["where"] == str(folder / "evidence.json")
    assert finding["evidence"]["rungs"][0]["status"] == "pass"


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("laion/CLIP-ViT-L-14", 2, "CLIP-ViT-L-14-laion2B-s32B-b82K"),
        ("CLIP-VIT-g-14-laion2B-s34B-b88K", 6, "Did you mean"),
    ],
)
def test_a_name_that_is_not_one_says_what_could_be_meant(
    capsys: pytest.CaptureFixture[str], name: str, code: int, said: str
) -> None:
    assert main(["show", name]) == code
    streams = capsys.readouterr()
    assert said in streams.err
    assert streams.out == ""
