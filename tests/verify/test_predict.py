"""The paddle process of rung 6: in one go or killed, its own or a cached classifier."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert.run import Options, convert
from zoo.convert.source import find_source
from zoo.errors import UsageError
from zoo.imagesets import bundled
from zoo.imagesets.imageset import ImageSet
from zoo.imagesets.recognise import open_imageset
from zoo.talk import Silence
from zoo.verify.journal import read_rows
from zoo.verify.predict import main, predict
from zoo.verify.request import EvaluateRequest
from zoo.verify.zeroshot import Row

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("shared_programs")]


def request(folder: Path, out: Path, **changes: object) -> EvaluateRequest:
    fields = {"data": bundled.NAME, "batch_size": 8, "workers": 0, **changes}
    return EvaluateRequest(folder=str(folder), out=str(out), **fields)  # type: ignore[arg-type]


def silent(done: int, of: int, note: str) -> None:
    pass


def test_the_digits_are_predicted_as_open_clip_predicts_them(converted_once, tmp_path) -> None:  # type: ignore[no-untyped-def]
    rows = predict(request(converted_once, tmp_path), bundled.held_out_digits(), silent)
    theirs = bundled.open_clips_scores().argmax(axis=1)
    assert [row.top[0] for row in rows] == theirs.tolist()
    assert read_rows(tmp_path, Row) == rows


def test_killed_half_way_and_resumed_it_is_the_same(converted_once, tmp_path, kill_after) -> None:  # type: ignore[no-untyped-def]
    whole = predict(request(converted_once, tmp_path / "one"), bundled.held_out_digits(), silent)
    asked = request(converted_once, tmp_path / "two", workers=1)
    kill_after("zoo.verify.predict", asked, 80)
    assert (tmp_path / "two" / "journal.json").is_file()
    notes: list[tuple[int, str]] = []
    again = predict(
        asked, bundled.held_out_digits(), lambda done, of, note: notes.append((done, note))
    )
    assert again == whole
    firsts = [done for done, note in notes if "top-1" in note]
    assert 80 < firsts[0] < len(whole), "it did not begin anew"
    assert "images/s" in notes[-1][1] and notes[-1][1].endswith("0:00:00 left")


def test_no_helper_outlives_a_killed_process(converted_once, tmp_path, start) -> None:  # type: ignore[no-untyped-def]
    child = start("zoo.verify.predict", request(converted_once, tmp_path / "out", workers=2))
    child.wait_for(1)
    helpers = _children(child.process.pid)
    assert len(helpers) >= 2
    child.kill()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in helpers):
        assert time.monotonic() < deadline, "a helper is still there"
        time.sleep(0.1)


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for task in tasks for word in task.read_text().split()]


def test_the_classifier_is_cached_by_what_it_is_made_of(  # type: ignore[no-untyped-def]
    converted_once, tmp_path, zoo_home, monkeypatch
) -> None:
    from zoo.models import zeroshot

    built: list[int] = []
    build = zeroshot.build_classifier

    def counted(*args: object, **more: object) -> object:
        built.append(1)
        return build(*args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(zeroshot, "build_classifier", counted)
    digits = bundled.held_out_digits()
    few = ImageSet(**{**_fields(digits), "pictures": digits.pictures[:8]})
    for expected, images in (
        (1, few),
        (1, few),
        (2, ImageSet(**{**_fields(few), "templates": ("a {}.",)})),
        (3, ImageSet(**{**_fields(few), "classes": digits.classes[::-1]})),
    ):
        predict(request(converted_once, tmp_path / str(len(built))), images, silent)
        assert len(built) == expected
    assert len(list((zoo_home / "classifiers").glob("*.npy"))) == 3


def _fields(images: ImageSet) -> dict[str, object]:
    return {name: getattr(images, name) for name in images.__dataclass_fields__}


def test_the_prompts_have_a_progress_of_their_own(  # type: ignore[no-untyped-def]
    converted_once, tmp_path, zoo_home, capfd
) -> None:
    path = tmp_path / "request.json"
    path.write_bytes(msgspec.json.encode(request(converted_once, tmp_path / "out")))
    assert main([str(path)]) == 0
    digits = bundled.held_out_digits()
    of = len({t.replace("{}", name) for t in digits.templates for name in digits.classes})
    told = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    prompts = [line for line in told if line.get("stage") == "prompts"]
    assert prompts[-1]["done"] == prompts[-1]["of"] == of
    assert prompts[-1]["note"] == f"prompt {of:,} of {of:,}"
    assert not any("prompt" in line["note"] for line in told if line.get("stage") == "predict")


def _other_weights(folder: Path) -> None:
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["ln_final.weight"][0] += np.float32(2**-20)
    save_file(weights, folder / "open_clip_model.safetensors")


def _other_activation(folder: Path) -> None:
    path = folder / "open_clip_config.json"
    config = json.loads(path.read_text())
    config["model_cfg"]["quick_gelu"] = not config["model_cfg"].get("quick_gelu", False)
    path.write_text(json.dumps(config))


@pytest.mark.parametrize("change", [_other_weights, _other_activation])
def test_another_model_has_another_classifier(  # type: ignore[no-untyped-def]
    converted_once, tiny, tmp_path, zoo_home, change: Callable[[Path], None]
) -> None:
    other = shutil.copytree(tiny, tmp_path / "other")
    change(other)
    out = tmp_path / "converted"
    options = Options(command=("zoo", "convert"), trust="file")
    convert(find_source(str(other)), other, out, options, Silence())
    digits = bundled.held_out_digits()
    few = ImageSet(**{**_fields(digits), "pictures": digits.pictures[:8]})
    for place, folder in enumerate((converted_once, out)):
        predict(request(folder, tmp_path / str(place)), few, silent)
    assert len(list((zoo_home / "classifiers").glob("*.npy"))) == 2


def test_a_name_that_comes_twice_is_a_tie(converted_once, tmp_path) -> None:  # type: ignore[no-untyped-def]
    digits = bundled.held_out_digits()
    names = (*digits.classes[::-1], *digits.classes)
    twice = ImageSet(**{**_fields(digits), "classes": names, "pictures": digits.pictures[:40]})
    rows = predict(request(converted_once, tmp_path), twice, silent)
    assert all(row.margin == 0 and row.top[1] == 19 - row.top[0] for row in rows)
    assert all(row.top[0] < 10 for row in rows), "the lowest index wins"


def test_pictures_that_can_not_be_read_are_told(converted_once, tmp_path) -> None:  # type: ignore[no-untyped-def]
    data = tmp_path / "data"
    (data / "a").mkdir(parents=True)
    good = bundled.held_out_digits().pictures[0].stored.read()
    for place, content in enumerate((good, b"", b"no image", good[:-9], good)):
        (data / "a" / f"{place}.pgm").write_bytes(content)
    (data / "classes.txt").write_text("zero")
    (data / "templates.txt").write_text("{}")
    images = open_imageset(str(data))
    asked = request(converted_once, tmp_path / "out", data=str(data), batch_size=2)
    rows = predict(asked, images, silent)
    problems = [row.problem and row.problem.partition(":")[0] for row in rows]
    assert problems == [None, "FORMAT", "FORMAT", "TRUNCATED", None]
    assert [row.top for row in rows] == [(0,), (), (), (), (0,)]


def test_half_precision_is_refused_on_a_cpu(converted_once, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    asked = request(converted_once, tmp_path / "out", precision="float16")
    with pytest.raises(UsageError, match="Paddle on CPU does not multiply float16"):
        predict(asked, bundled.held_out_digits(), silent)
    path = tmp_path / "request.json"
    path.write_bytes(msgspec.json.encode(asked))
    assert main([str(path)]) == 2
    assert capsys.readouterr().err.startswith("zoo: USAGE: Paddle on CPU")
