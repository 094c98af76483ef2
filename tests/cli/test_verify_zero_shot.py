"""``zoo verify --zero-shot``: what it takes, what it says, how it ends."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.imagesets.bundled import held_out_digits
from zoo.talk import Silence
from zoo.verify import evidence

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("shared_programs")]
Run = Callable[..., object]


@pytest.fixture(autouse=True)
def goldens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parity from goldens: it is not what is tested here, and quicker."""
    monkeypatch.setattr("zoo.verify.reference_side._installed", lambda: False)
    monkeypatch.delenv("ZOO_DATA", raising=False)


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Twenty of the bundled digits as class folders with names."""
    images = held_out_digits()
    for picture in images.pictures[:20]:
        place = tmp_path / "data" / "digits" / f"{picture.label}" / f"{picture.name}.pgm"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture.stored.read())
    folder = tmp_path / "data" / "digits"
    names = {str(label): name for label, name in enumerate(images.classes)}
    present = {path.name for path in folder.iterdir()}
    (folder / "classes.json").write_text(json.dumps({k: names[k] for k in present}))
    (folder / "templates.json").write_text(json.dumps(images.templates))
    return folder


def last_rung(ran: object) -> dict[str, object]:
    rung: dict[str, object] = json.loads(ran.stdout)["results"][0]["evidence"]["rungs"][-1]  # type: ignore[attr-defined]
    return rung


def test_as_typed_it_does_something_true(run_zoo: Run) -> None:
    ran = run_zoo("verify", "--zero-shot", "--json")
    assert ran.code == 0  # type: ignore[attr-defined]
    rung = last_rung(ran)
    figures = rung["figures"]
    assert rung["status"] == "pass" and rung["measured_on"]["name"] == "tiny-digits"  # type: ignore[index]
    assert figures["same prediction"] == figures["images"] == 397  # type: ignore[index]
    assert figures["top-1"] == figures["top-1 of open_clip"]  # type: ignore[index]
    assert json.loads(ran.stdout)["results"][0]["status"] == "parity", "nothing is claimed of it"  # type: ignore[attr-defined]
    assert figures["programs"]["parity"] == "pass"  # type: ignore[index]
    assert figures["path"]["image"].startswith("Paddle Inference")  # type: ignore[index]


def test_wrong_programs_are_no_evidence(
    converted_once: Path, tmp_path: Path, run_zoo: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the place where the right ones are looked for."""
    from zoo.deploy import cached

    monkeypatch.setenv("ZOO_HOME", str(tmp_path / "another"))
    other = shutil.copytree(converted_once, tmp_path / "other")
    tensors = load_file(other / "model.safetensors")
    tensors["visual.ln_post.weight"] *= np.float32(1 + 4e-6)
    save_file(tensors, other / "model.safetensors", metadata={"format": "np"})
    write = cached.write_programs
    monkeypatch.setattr(cached, "write_programs", lambda _, out, talk: write(other, out, talk))
    checkpoint = shutil.copytree(converted_once, tmp_path / "checkpoint")
    cached.programs_for(checkpoint, Silence())
    ran = run_zoo("verify", checkpoint, "--zero-shot")
    rung = evidence.read(checkpoint / "evidence.json").rungs[-1]
    assert (ran.code, rung.status) == (3, "fail")  # type: ignore[attr-defined]
    assert "Paddle Inference computes something else: visual.features" in str(rung.reason)


def test_two_runs_leave_the_same_evidence(run_zoo: Run, zoo_home: Path) -> None:
    found = []
    for _ in range(2):
        assert run_zoo("verify", "tiny-digits", "--zero-shot").code == 0  # type: ignore[attr-defined]
        (path,) = zoo_home.glob("models/tiny-digits/*/evidence.json")
        found.append(path.read_bytes())
        evidence.read(path)
        path.unlink()
    assert found[0] == found[1]


def test_data_by_path_and_by_name(
    run_zoo: Run, digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_path = run_zoo("verify", "tiny-digits", "--zero-shot", "--data", digits, "--json")
    monkeypatch.setenv("ZOO_DATA", str(digits.parent))
    by_name = run_zoo("verify", "tiny-digits", "--zero-shot", "--data", "digits", "--json")
    rung = last_rung(by_path)
    assert rung == last_rung(by_name)
    assert rung["status"] == "pass" and "a measurement" in str(rung["reason"])
    assert rung["measured_on"] == {"name": "own data: digits", "items": 20, "whole": False}


def test_clip_benchmarks_json(run_zoo: Run, digits: Path) -> None:
    ran = run_zoo(
        *("verify", "tiny-digits", "--zero-shot", "--data", digits, "--emit", "clip-benchmark")
    )
    document = json.loads(ran.stdout)  # type: ignore[attr-defined]
    assert document["task"] == "zeroshot_classification"
    assert set(document["metrics"]) == {"acc1", "acc5", "mean_per_class_recall"}
    assert 0.9 <= document["metrics"]["acc1"] <= 1


def test_an_image_that_can_not_be_read(run_zoo: Run, digits: Path) -> None:
    next(digits.rglob("*.pgm")).write_bytes(b"")
    words = ("verify", "tiny-digits", "--zero-shot", "--data", digits)
    ran = run_zoo(*words)
    assert ran.code == 3 and "1 images can't be read" in ran.stderr  # type: ignore[attr-defined]
    ran = run_zoo(*words, "--allow-unreadable", "--json")
    assert ran.code == 0  # type: ignore[attr-defined]
    rung = last_rung(ran)
    assert rung["figures"]["unreadable"] == 1 and rung["figures"]["images"] == 19  # type: ignore[index]


def test_without_data_the_rung_does_not_run(
    run_zoo: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "other"
    run_zoo("convert", "tiny-digits", "--out", out, "--id", "other")
    ran = run_zoo("verify", out, "--zero-shot")
    assert ran.code == 8 and "ZOO_DATA is not set" in ran.stderr  # type: ignore[attr-defined]
    monkeypatch.setenv("ZOO_DATA", str(tmp_path))
    ran = run_zoo("verify", out, "--zero-shot")
    assert ran.code == 8 and f"no data set at {tmp_path}/imagenet" in ran.stderr  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--zero-shot", "--data", "./nowhere"), 6, "no such data set"),
        (("--zero-shot", "--data", "nowhere"), 6, "ZOO_DATA is not set"),
        (("--zero-shot", "--data", "{empty}"), 4, "there are no files"),
        (("--data", "{empty}"), 2, "--data is for rung 6"),
        (("--against", "open_clip"), 2, "--against is for rung 6"),
        (("--emit", "clip-benchmark"), 2, "--emit is for rung 6"),
        (("--zero-shot", "--upto", "files"), 2, "--upto files is below it"),
        (("--zero-shot", "--against", "memory"), 2, "invalid choice"),
    ],
)
def test_what_can_not_be(
    words: tuple[str, ...], code: int, said: str, run_zoo: Run, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    put = (word.replace("{empty}", str(tmp_path / "empty")) for word in words)
    ran = run_zoo("verify", "tiny-digits", *put)
    assert ran.code == code and said in ran.stderr  # type: ignore[attr-defined]


def test_data_that_changes_between_two_runs_of_one_evaluation(
    run_zoo: Run, digits: Path, zoo_home: Path
) -> None:
    words = ("verify", "tiny-digits", "--zero-shot", "--data", digits)
    assert run_zoo(*words).code == 0  # type: ignore[attr-defined]
    (journal,) = (zoo_home / "zero-shot" / "tiny-digits").iterdir()
    # As a kill leaves it: the rows of the one batch, and what the evaluation is of.
    from zoo.imagesets.recognise import open_imageset
    from zoo.verify.journal import Journal
    from zoo.verify.zeroshot import Row

    Journal(journal, open_imageset(str(digits)), 32, Row)
    shutil.move(journal / "predictions.jsonl", journal / "rank-0.jsonl")
    next(digits.rglob("*.pgm")).write_bytes(b"another")
    ran = run_zoo(*words)
    assert ran.code == 4 and "has changed since this evaluation began" in ran.stderr  # type: ignore[attr-defined]
