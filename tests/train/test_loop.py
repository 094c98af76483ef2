"""Whole runs on one process, on a model of a second: what is logged, kept, resumed and refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train import checkpoint  # noqa: E402
from train.precision import FULL  # noqa: E402
from zoo.convert import provenance  # noqa: E402
from zoo.errors import (  # noqa: E402
    DatasetError,
    DiskError,
    NonfiniteError,
    NotFoundError,
    PathError,
)

Weights = dict[str, np.ndarray]
Log = Callable[[Path], list[dict[str, Any]]]


def weights(folder: Path, step: int, part: str = "model") -> Weights:
    return load_file(folder / f"checkpoint-{step}" / part / "model.safetensors")


def assert_equal(ours: Weights, expected: Weights) -> None:
    for name, array in expected.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)


def events(folder: Path, kind: str) -> list[dict[str, Any]]:
    entries = map(json.loads, (folder / "log.jsonl").read_text().splitlines())
    return [entry for entry in entries if entry.get("event") == kind]


def test_a_run_leaves_a_log_a_plot_and_a_checkpoint(
    run: Callable[..., Path], small: Path, read_log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    output = run("--warmup_steps", 2, "--ema_decay", 0.5)
    log = read_log(output)
    assert [entry["step"] for entry in log] == [1, 2, 3, 4]
    assert [entry["epoch"] for entry in log] == [0.2, 0.4, 0.6, 0.8]  # that are done, of 5 steps
    assert [entry["learning_rate"] for entry in log] == pytest.approx([5e-4, 1e-3, 1e-3, 5e-4])
    assert all(entry["gradient_norm"] > 0 and entry["bad_samples"] == 0 for entry in log)
    assert (output / "loss.svg").read_text().startswith("<svg")
    told = capsys.readouterr().err
    assert told.splitlines()[0].endswith(f"weights of {small}")
    assert "step 4/4  loss " in told
    kept = {path.name for path in (output / "checkpoint-4").iterdir()}
    assert kept == {"model", "ema", "optimizer.safetensors", "state.json"}
    for part in ("model", "ema"):
        assert provenance.read(output / "checkpoint-4" / part).id == "small-run"


def test_a_resumed_run_is_equal_to_the_bit(run: Callable[..., Path], read_log: Log) -> None:
    extra = ("--save_steps", 2, "--ema_decay", 0.9, "--num_train_epochs", 2, "--max_steps", 8)
    whole = run(*extra, output="whole")
    again = run(*extra, output="again")
    for step in (4, 6, 8):  # as if the run had been killed at step 4
        shutil.rmtree(again / f"checkpoint-{step}")
    run(*extra, "--resume_from_checkpoint", "True", output="again")
    assert read_log(again) == read_log(whole)
    for part in ("model", "ema"):
        assert_equal(weights(again, 8, part), weights(whole, 8, part))


def test_a_run_goes_on_in_pieces_with_the_same_batch(
    run: Callable[..., Path], read_log: Log
) -> None:
    whole = run("--save_steps", 2)
    split = run(
        *("--resume_from_checkpoint", whole / "checkpoint-2"),
        *("--gradient_accumulation_steps", 4, "--per_device_train_batch_size", 1),
        output="split",
    )
    losses = [entry["loss"] for entry in read_log(split)]
    assert losses == pytest.approx([entry["loss"] for entry in read_log(whole)[2:]], rel=1e-5)


def test_the_last_checkpoints_are_kept(run: Callable[..., Path]) -> None:
    output = run("--save_steps", 1, "--save_total_limit", 2)
    assert sorted(path.name for path in output.glob("checkpoint-*")) == [
        "checkpoint-3",
        "checkpoint-4",
    ]
    assert len(events(output, "checkpoint")) == 4


def test_without_a_strategy_only_the_end_is_kept(run: Callable[..., Path]) -> None:
    output = run("--save_steps", 1, "--save_strategy", "no")
    assert [path.name for path in output.glob("checkpoint-*")] == ["checkpoint-4"]


@pytest.mark.parametrize(
    ("flag", "moves"),
    [
        ("--lock_image", lambda name: not name.startswith("visual.")),
        ("--lock_text", lambda name: name.startswith("visual.") or name == "logit_scale"),
    ],
)
def test_a_locked_tower_stays_as_it_is(
    run: Callable[..., Path], small: Path, flag: str, moves: Callable[[str], bool]
) -> None:
    before = load_file(small / "model.safetensors")
    after = weights(run(flag, "--weight_decay", 0.1), 4)
    for name, array in before.items():
        if not name.endswith("k_proj.bias"):
            assert np.array_equal(after[name], array) != moves(name), name


def test_the_logit_scale_ends_at_the_logarithm_of_100(run: Callable[..., Path]) -> None:
    scale = weights(run("--learning_rate", 10, "--max_steps", 1), 1)["logit_scale"]
    assert scale[0] in (0, np.float32(np.log(100)))  # Adam's first step is as long as its rate


def test_new_weights_are_drawn_where_they_are_asked_for(
    run: Callable[..., Path], read_log: Log
) -> None:
    loaded, drawn = (run("--pretrained", word, output=word) for word in ("true", "false"))
    assert read_log(loaded)[0]["loss"] != read_log(drawn)[0]["loss"]


def test_a_shorter_context(run: Callable[..., Path]) -> None:
    output = run("--context_length", 20, "--max_steps", 1)
    assert weights(output, 1)["positional_embedding"].shape == (20, 20)


def test_zero_shot_evaluation_at_steps_and_at_the_end(
    run: Callable[..., Path], pictures: Path
) -> None:
    output = run(
        *("--classification_eval", pictures / "eval", "--pretrained_text_model", "mine"),
        *("--evaluation_strategy", "steps", "--eval_steps", 3),
    )
    found = events(output, "zero-shot")
    assert [(entry["step"], entry["label"]) for entry in found] == [(3, "mine"), (4, "mine")]
    assert all(entry["top5"] == 100 for entry in found)  # of two classes


def test_a_picture_that_can_not_be_evaluated_is_named(
    run: Callable[..., Path], pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "eval"
    shutil.copytree(pictures / "eval", folder)
    (folder / "images" / "n1" / "3.png").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="1 pictures can't be read"):
        run("--classification_eval", folder)
    assert "can't be read: n1/3.png: FORMAT" in capsys.readouterr().err
    assert (tmp_path / "run" / "checkpoint-4").is_dir()


def test_bad_pictures_are_counted(
    run: Callable[..., Path], pictures: Path, tmp_path: Path, read_log: Log
) -> None:
    annotations = json.loads((pictures / "train.json").read_text())
    for number in range(0, 40, 2):
        annotations[number]["image"] = f"missing-{number}.png"
    path = tmp_path / "half.json"
    path.write_text(json.dumps(annotations))
    log = read_log(run("--task_name", path, "--save_steps", 2))
    assert log[-1]["bad_samples"] >= 10
    shutil.rmtree(tmp_path / "run" / "checkpoint-4")  # as if the run had been killed at step 2
    again = run("--task_name", path, "--resume_from_checkpoint", "True")
    assert read_log(again) == log  # those of the first two steps are counted, too


def test_no_picture_at_all_stops_the_run(run: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="100 pictures in a row"):
        run("--image_root", tmp_path / "nowhere")


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_checkpoints(
    run: Callable[..., Path], tmp_path: Path
) -> None:
    run("--max_steps", 1)
    with pytest.raises(NonfiniteError, match="norm nan at step 3: batch 3 of epoch 1"):
        run("--learning_rate", 1e38, "--resume_from_checkpoint", "True")
    (kept,) = (tmp_path / "run").glob("checkpoint-*")
    assert all(np.isfinite(array).all() for array in weights(tmp_path / "run", 1).values())
    assert kept.name == "checkpoint-1"


def test_a_step_whose_gradient_overflows_is_left_out(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, read_log: Log, small: Path
) -> None:
    """The loss scale's rules on gradients in float32, whose squares overflow too."""
    monkeypatch.setattr("train.loop.find_precision", lambda arguments: FULL)
    output = run("--fp16", "--scale_loss", 2.0**62, "--max_steps", 10, "--save_steps", 1)
    found = events(output, "overflow")
    assert 0 < len(found) < 10
    last = found[-1]["step"]
    assert [entry["loss_scale"] for entry in found] == [2.0 ** (61 - i) for i in range(last)]
    before = load_file(small / "model.safetensors")
    assert_equal(weights(output, last), before)  # nothing has moved
    assert not np.array_equal(weights(output, last + 1)["visual.proj"], before["visual.proj"])
    log = read_log(output)
    assert [entry["gradient_norm"] is None for entry in log] == [i < last for i in range(10)]
    state = checkpoint.read_state(output / "checkpoint-10")
    assert (state.loss_scale, state.good_steps) == (2.0 ** (62 - last), 10 - last)


def test_a_scaled_loss_gives_the_same_step(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, read_log: Log
) -> None:
    plain = run("--max_grad_norm", 0.5, output="plain")
    monkeypatch.setattr("train.loop.find_precision", lambda arguments: FULL)
    scaled = run("--max_grad_norm", 0.5, "--fp16", "--scale_loss", 1024.0, output="scaled")
    assert_equal(weights(scaled, 4), weights(plain, 4))  # a power of two changes no digit
    assert read_log(scaled) == read_log(plain)


def test_a_run_that_ends_before_its_first_checkpoint_is_not_mixed_with_the_one_before(
    run: Callable[..., Path], tmp_path: Path
) -> None:
    """With a rate that no weight survives, as if it had been killed."""
    output = run("--save_steps", 2)
    before = weights(output, 4)
    other = run("--max_steps", 3, output="other") / "checkpoint-3"
    anew, resume = ("--overwrite_output_dir", "--learning_rate", 1e38), "--resume_from_checkpoint"
    with pytest.raises(NonfiniteError):
        run(*anew, resume, other, "--max_steps", 10)
    with pytest.raises(NotFoundError, match="replaced/: name one, or move them back"):
        run(resume, "True")
    with pytest.raises(PathError, match="up to replaced/checkpoint-4") as raised:
        run()
    assert f"--resume_from_checkpoint {output / 'replaced' / 'checkpoint-4'}," in str(raised.value)
    with pytest.raises(NonfiniteError):
        run(*anew)
    assert_equal(weights(output / "replaced", 4), before)
    for path in (output / "replaced").glob("checkpoint-*"):
        path.rename(output / path.name)
    with pytest.raises(NonfiniteError):
        run(*anew, resume, output / "checkpoint-2", "--max_steps", 10)
    assert checkpoint.find_checkpoint("true", output).name == "checkpoint-2"
    run("--overwrite_output_dir", "--max_steps", 1)
    assert [path.name for path in output.iterdir() if path.is_dir()] == ["checkpoint-1"]


def test_later_checkpoints_are_not_mixed_with_those_of_a_run_that_goes_on_earlier(
    run: Callable[..., Path],
) -> None:
    again = ("--save_steps", 2, "--resume_from_checkpoint", run("--save_steps", 2) / "checkpoint-2")
    with pytest.raises(PathError, match="up to checkpoint-4"):
        run(*again)
    output = run(*again, "--overwrite_output_dir", "--max_steps", 3, "--save_total_limit", 1)
    assert [path.name for path in output.glob("*checkpoint-*")] == ["checkpoint-3"]


def test_ranks_look_for_checkpoints_once_the_first_one_holds_the_folder(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While it waits for another run, that one writes more."""
    newest = run("--save_steps", 2) / "checkpoint-4"
    later = newest.rename(newest.parent.parent / "later")
    monkeypatch.setattr("train.loop.meet", lambda topology: later.rename(newest))
    run("--resume_from_checkpoint", "True")
    assert "going on from checkpoint-4" in capsys.readouterr().err


def test_a_full_disk_keeps_the_last_checkpoint(
    run: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import resource

    run("--max_steps", 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))  # bytes in a file
    try:
        with pytest.raises(DiskError, match="the disk is full"):
            run("--resume_from_checkpoint", "True")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in (tmp_path / "run").glob("*checkpoint-*")] == ["checkpoint-1"]


def test_a_run_that_is_at_its_end_says_so(
    run: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    run()
    assert "nothing is left to do" not in capsys.readouterr().err
    output = run("--resume_from_checkpoint", "True")
    told = capsys.readouterr().err.splitlines()
    assert told[0].endswith(f"weights of {output / 'checkpoint-4' / 'model'}")
    assert told[2].endswith(": they are done, and nothing is left to do")


def test_checks_alone_leave_the_log(run: Callable[..., Path], read_log: Log) -> None:
    log = read_log(run())
    output = run("--overwrite_output_dir", "--do_train", "False")
    assert read_log(output) == log


def test_checks_alone_train_nothing(run: Callable[..., Path]) -> None:
    assert not list(run("--do_train", "False").glob("checkpoint-*"))
