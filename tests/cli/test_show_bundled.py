"""``zoo show tiny-digits``: the checkpoint that comes with zoo is known here too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zoo.convert.bundled import bundled_checkpoint
from zoo.talk import Silence
from zoo.verify import evidence as ev


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_it_is_told_what_it_is(run_zoo: Callable[..., Any]) -> None:
    ran = run_zoo("show", "tiny-digits")
    assert ran.code == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "tiny-digits"
    assert max(map(len, lines)) <= 80
    text = " ".join(ran.stdout.split())
    assert "status claimed" in text and "licence Apache-2.0" in text
    assert "1,808,313 (image tower 200,384, text tower 1,607,928)" in text
    assert "32 x 32 pixels, bicubic, shortest" in text
    assert "394 of 397" in text
    assert "none of the models that `zoo list` has: nobody claims anything of it" in text
    assert "no evidence yet" in text


def test_its_evidence_is_shown(run_zoo: Callable[..., Any]) -> None:
    folder = bundled_checkpoint(Silence())
    assert run_zoo("verify", "tiny-digits", "--upto", "roundtrip").code == 0
    text = run_zoo("show", "tiny-digits").stdout
    assert f"evidence: {folder / 'evidence.json'}" in text
    assert "status        converted" in text
    assert "3 roundtrip  pass, different 0" in text


@pytest.mark.usefixtures("without_open_clip")
@pytest.mark.paddle
def test_figures_are_told_in_short(run_zoo: Callable[..., Any]) -> None:
    """Tables of figures are for --json."""
    assert run_zoo("verify", "tiny-digits", "--upto", "parity").code == 0
    text = run_zoo("show", "tiny-digits").stdout
    assert "4 parity     pass, layers 10" in text and "{" not in text


def test_the_document_has_the_keys_of_every_entry(
    run_zoo: Callable[..., Any], zoo_home: Path
) -> None:
    run_zoo("verify", "tiny-digits", "--upto", "roundtrip")
    ours = json.loads(run_zoo("show", "tiny-digits", "--json").stdout)
    another = json.loads(run_zoo("show", "laion/CLIP-ViT-g-14", "--json").stdout)
    assert another.keys() == ours.keys() - {"bundled"}
    assert ours["manifest"] is None and ours["status"] == "converted"
    assert ours["bundled"] == {
        "id": "tiny-digits",
        "license": "Apache-2.0",
        "params": {"total": 1_808_313, "vision": 200_384, "text": 1_607_928},
        "open_clip_top1": {"correct": 394, "of": 397},
    }
    (found,) = ours["evidence"]
    assert Path(found["where"]).is_relative_to(zoo_home)


def test_it_can_reach_no_word_that_a_claim_has_to_earn(run_zoo: Callable[..., Any]) -> None:
    """Without a claim there is nothing that rung 6 could verify."""
    run_zoo("verify", "tiny-digits", "--upto", "files")
    path = next(Path(bundled_checkpoint(Silence())).glob("evidence.json"))
    before = ev.read(path)
    rungs = tuple(
        ev.Rung(
            number=rung.number,
            name=rung.name,
            status="pass",
            reason=None,
            figures={},
            bounds={},
            measured_on=ev.MeasuredOn(name="tiny-digits", items=397, whole=True),
        )
        for rung in before.rungs
    )
    sealed = ev.seal(subject=before.subject, environment={}, command=["zoo"], rungs=rungs)
    ev.write(path, sealed)
    assert json.loads(run_zoo("show", "tiny-digits", "--json").stdout)["status"] == "parity"


def test_the_list_names_it(run_zoo: Callable[..., Any]) -> None:
    listed = run_zoo("list")
    assert "zoo show tiny-digits" in listed.stdout
    assert "tiny-digits" not in {
        model["id"] for model in json.loads(run_zoo("list", "--json").stdout)["models"]
    }
