from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.cli import main
from zoo.manifest import registry

FRAMEWORKS = {"numpy", "paddle", "torch", "open_clip", "transformers"}


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZOO_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["list", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_the_table_fits_and_paddlemix_s_three_families_come_first(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = printed(capsys)
    assert max(map(len, lines)) <= 80
    first = [line.split()[0].rstrip(",") for line in lines if line.strip()]
    families = ("LAION-2B", "DataComp", "DFN", "MetaCLIP", "OpenAI")
    assert [first.index(family) for family in families] == [1, 8, 13, 18, 26]
    assert {m.id for m in registry().manifests} <= set(first)


def test_a_row_has_the_exact_count_both_figures_and_the_status(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = {line.split()[0]: line.split()[1:] for line in printed(capsys) if line.strip()}
    assert rows["CLIP-ViT-B-32-laion2B-s34B-b79K"] == ["151.28", "66.56", "*66.5", "claimed"]
    assert rows["DFN5B-CLIP-ViT-H-14"] == ["*986.11", "83.44", "83.4", "claimed"]
    assert rows["DFN5B-CLIP-ViT-H-14-378"] == ["986.71", "84.37", "*84.2", "claimed"]


def test_each_wrong_count_is_named_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    note = " ".join(printed(capsys)).partition("* disagrees")[2]
    assert "151.28 M for CLIP-ViT-B-32-256x256-DataComp-s34B-b86K" in note
    assert "986.71 M for DFN5B-CLIP-ViT-H-14." in note


def test_the_document_has_every_model(capsys: pytest.CaptureFixture[str]) -> None:
    document = json.loads("\n".join(printed(capsys, "--json")))
    assert document["schema_version"] == 1
    models = {model["id"]: model for model in document["models"]}
    assert set(models) == {m.id for m in registry().manifests}
    assert models["DFN5B-CLIP-ViT-H-14"] == {
        "id": "DFN5B-CLIP-ViT-H-14",
        "family": "DFN",
        "params": 986_109_441,
        "top1": 83.44,
        "top1_paddlemix": 83.4,
        "status": "claimed",
        "license": "apple-amlr",
        "disputed_params": [986.71],
        "disputed_top1": [],
    }


@pytest.mark.parametrize("words", [["list"], ["show", "laion/CLIP-ViT-g-14"], ["list", "--json"]])
def test_no_framework_is_imported(words: list[str]) -> None:
    code = f"import sys; from zoo.cli import main; main({words}); print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    loaded = set(run.stdout.splitlines()[-1].split())
    assert "zoo.manifest" in loaded
    assert not FRAMEWORKS & loaded
