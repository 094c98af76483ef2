"""The evaluation script: the seed's flags, one process and two, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo import data
from zoo.imagesets.bundled import held_out_digits
from zoo.runtime import import_paddle

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("shared_programs")]
import_paddle()

SCRIPT = Path(__file__).parents[2] / "train" / "run_zero_shot_eval.py"
COUNT = 37  # pictures; no multiple of the batch


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the bundled digits in the seed's layout."""
    folder = tmp_path_factory.mktemp("digits")
    images = held_out_digits()
    names = [*images.classes]
    for picture in images.pictures[:COUNT]:
        place = folder / "images" / f"{picture.label}" / f"{picture.name}.pgm"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(picture.stored.read())
    (folder / "labels.txt").write_text("\n".join(names))
    (folder / "templates.txt").write_text("\n".join(images.templates))
    return folder


@pytest.fixture
def converted(run_zoo: Callable[..., object], tmp_path: Path) -> Path:
    out = tmp_path / "model"
    assert run_zoo("convert", "tiny-digits", "--out", out).code == 0  # type: ignore[attr-defined]
    return out


def words(model: Path, digits: Path, out: Path) -> list[str]:
    """The seed's own command."""
    return [
        *("--per_device_eval_batch_size", "4"),
        "--dataloader_num_workers=2",
        *("--model", str(model)),
        *("--fp16", "False"),
        *("--pretrained_text_model", str(model)),
        *("--classification_eval", str(digits)),
        *("--output_dir", str(out)),
        *("--disable_tqdm", "False"),
    ]


@pytest.mark.distributed
def test_two_processes_give_what_one_gives(run_script, converted, digits, tmp_path) -> None:  # type: ignore[no-untyped-def]
    for ranks in (1, 2):
        ran = run_script(
            *words(converted, digits, tmp_path / str(ranks)), ranks=ranks, script=SCRIPT
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
    one, two = (tmp_path / name / "predictions.jsonl" for name in "12")
    assert one.read_bytes() == two.read_bytes() and len(one.read_text().splitlines()) == COUNT
    results = [json.loads((tmp_path / name / "zero_shot.json").read_text()) for name in "12"]
    assert results[0]["figures"] == results[1]["figures"]
    recorded = json.loads(data.path("tiny/zero_shot.json").read_text())["top1"]
    assert results[0]["figures"]["images"] == COUNT < recorded["of"]
    assert results[0]["figures"]["top-1"] > 90


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        (("--fp16", "True"), 2, "Paddle on CPU does not multiply float16"),
        (("--bf16", "True"), 2, "there is no flag --bf16"),
        (("--fp16", "perhaps"), 2, "neither True nor False"),
        (("--per_device_eval_batch_size", "0"), 2, "must be positive"),
        (("--classification_eval", "/nowhere"), 6, "no such data set"),
        (("--pretrained_text_model", "{other}"), 2, "another text tower"),
        (("--pretrained_model_path", "{narrower}"), 4, "of another shape"),
    ],
)
def test_what_is_refused(  # type: ignore[no-untyped-def]
    more, code, said, converted, small, digits, tmp_path, capsys
) -> None:
    from train.run_zero_shot_eval import main

    places = {"{other}": str(small), "{narrower}": str(small)}
    more = tuple(places.get(word, word) for word in more)
    assert main([*words(converted, digits, tmp_path / "out"), *more]) == code
    assert said in capsys.readouterr().err


def test_a_damaged_model_is_not_evaluated(converted, digits, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    from train.run_zero_shot_eval import main

    weights = converted / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    assert main(words(converted, digits, tmp_path / "out")) == 5
    assert "model.safetensors is not the one that was written" in capsys.readouterr().err


def test_a_picture_that_can_not_be_read_fails(converted, digits, tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    from train.run_zero_shot_eval import main

    broken = shutil.copytree(digits, tmp_path / "digits")
    next(iter(sorted((broken / "images" / "3").iterdir()))).write_bytes(b"P5 8 8 255\nshort")
    assert main(words(converted, broken, tmp_path / "out")) == 3
    assert "1 images can't be read" in capsys.readouterr().err
    result = json.loads((tmp_path / "out" / "zero_shot.json").read_text())
    assert result["status"] == "fail" and result["figures"]["images"] == COUNT - 1
