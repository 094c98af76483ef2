"""``zoo show`` of a converted folder, and of a model that only the cache has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from zoo.convert import provenance

MINE = "CLIP-ViT-B-32"  # begins several of the zoo's names, and is none of them
B32 = f"{MINE}-laion2B-s34B-b79K"
Run = Callable[..., Any]


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def mine(here: Path, run_zoo: Run) -> Path:
    """A model of one's own in the cache."""
    ran = run_zoo("convert", "./in", "--id", MINE)
    assert ran.code == 0, ran.stderr
    return Path(ran.stdout.strip())


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_folder_says_what_it_is_and_where_it_comes_from(here: Path, run_zoo: Run) -> None:
    assert run_zoo("convert", "./in", "--out", "out", "--dtype", "float16").code == 0
    ran = run_zoo("show", "./out")
    assert ran.code == 0, ran.stderr
    lines, said = ran.stdout.splitlines(), words(ran.stdout)
    assert lines[0] == "in" and max(map(len, lines)) <= 80
    weights = provenance.read(here / "out").source.files[-1]
    assert "status claimed" in said and "folder out" in said
    assert "source local files, open_clip open_clip_config.json sha256" in said
    assert f"{weights.name} sha256 {weights.sha256}" in said
    assert "made by zoo convert ./in --out out --dtype float16" in said
    assert "image 3 blocks of width 80, patches of 8 x 8 pixels" in said
    assert "text 2 blocks of width 32; quick_gelu; embeddings of 48" in said
    assert "229,305 (image tower 200,384, text tower 28,920)" in said
    assert "float16 (94)" in said and "32 x 32 pixels, bicubic, shortest" in said
    assert "none not verified yet" in said
    assert "claims" not in said and "licence" not in said


def test_its_status_is_what_its_evidence_shows(mine: Path, run_zoo: Run) -> None:
    assert run_zoo("verify", MINE, "--upto", "roundtrip").code == 0, "known here, too"
    for name in (MINE, mine, f"local-dir:{mine}"):
        said = words(run_zoo("show", name).stdout)
        assert said.startswith(f"{MINE} status converted"), name
        assert "3 roundtrip pass, different 0" in said
    of_another = mine / "evidence.json"
    of_another.write_text(of_another.read_text().replace('"digest": "', '"digest": "0', 1))
    assert words(run_zoo("show", MINE).stdout).startswith(f"{MINE} status claimed")


def test_the_document_has_the_keys_of_every_entry(mine: Path, run_zoo: Run) -> None:
    run_zoo("verify", mine, "--upto", "files")
    ours = json.loads(run_zoo("show", MINE, "--json").stdout)
    another = json.loads(run_zoo("show", B32, "--json").stdout)
    assert another.keys() == ours.keys() - {"id", "converted"}
    assert (ours["id"], ours["manifest"], ours["judged_claim"]) == (MINE, None, None)
    (found,) = ours["evidence"]
    assert found["evidence"]["rungs"][0]["status"] == "pass"
    (one,) = ours["converted"]
    record = provenance.read(mine)
    assert one["config"] == json.loads((mine / "config.json").read_text())
    assert one["params"] == {"total": 229_305, "vision": 200_384, "text": 28_920}
    assert one["source"]["sha256"] == {f.name: f.sha256 for f in record.source.files}
    assert (one["folder"], one["problem"], one["status"]) == (str(mine), None, "claimed")
    assert (one["tensors_digest"], one["types"]) == (record.tensors_digest, {"float32": 94})


def test_what_was_trained_says_so(mine: Path, run_zoo: Run) -> None:
    record = provenance.read(mine)
    source = replace(record.source, format=provenance.TRAINED, files=[])
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    for sealed in ("schema_version", "tensors_digest", "digest"):
        del fields[sealed]
    trained = provenance.seal(**{**fields, "source": source})
    (mine / "provenance.json").write_bytes(provenance.encode(trained))
    said = words(run_zoo("show", mine).stdout)
    assert "source trained, and not converted from anything made by" in said
    assert "none not verified yet" in said


def test_every_conversion_of_a_model_is_shown(mine: Path, run_zoo: Run) -> None:
    assert run_zoo("convert", "./in", "--id", MINE, "--dtype", "bfloat16").code == 0
    said = words(run_zoo("show", MINE).stdout)
    assert "bfloat16 (94)" in said and "float32 (94)" in said
    (mine / "provenance.json").write_text("{")
    ran = run_zoo("show", MINE)
    assert ran.code == 0 and "bfloat16 (94)" in ran.stdout and "float32 (94)" not in ran.stdout
    assert "problem provenance.json is damaged" in words(ran.stdout)
    problems = json.loads(run_zoo("show", MINE, "--json").stdout)["converted"]
    assert [entry["problem"] is None for entry in problems] == [True, False]
    assert run_zoo("show", mine).code == 5


def test_a_folder_of_a_model_of_the_zoo_names_its_entry(
    tiny: Path, run_zoo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import dataclasses

    from zoo.cli import show_own
    from zoo.manifest import registry

    folder = Path(run_zoo("convert", "tiny-digits").stdout.strip())
    named = {"tiny-digits": registry().names[B32]}
    monkeypatch.setattr(show_own, "registry", lambda: dataclasses.replace(registry(), names=named))
    said = words(run_zoo("show", folder).stdout)
    assert f"what is claimed of it: zoo show {B32}" in said
    document = json.loads(run_zoo("show", folder, "--json").stdout)
    assert document["manifest"]["id"] == B32 and document["judged_claim"]["value"] == 66.56


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("./nowhere", 6, "there is no such file or folder"),
        ("./in", 6, "this is no converted checkpoint"),
        ("./in/open_clip_config.json", 6, "this is no converted checkpoint"),
        ("somebody/else", 6, "there is no model 'somebody/else' in the zoo"),
        ("in/open_clip_config.json", 6, "under this name is ./in/open_clip_config.json"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_is_none_is_told(run_zoo: Run, name: str, code: int, said: str) -> None:
    ran = run_zoo("show", name)
    assert (ran.code, ran.stdout) == (code, "") and said in ran.stderr


def test_the_list_names_what_is_ones_own(mine: Path, run_zoo: Run) -> None:
    run_zoo("convert", "tiny-digits")
    run_zoo("verify", mine, "--upto", "roundtrip")
    assert f"none of these: {MINE} (`zoo show MODEL`)" in words(run_zoo("list").stdout)
    document = json.loads(run_zoo("list", "--json").stdout)
    assert document["own"] == [{"id": MINE, "status": "converted"}]
