"""What a run refuses: an output, a checkpoint or arguments that do not fit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from zoo.errors import ConfigError, DatasetError, NotFoundError, PathError, UsageError

pytestmark = pytest.mark.paddle


def test_an_output_with_checkpoints_is_not_written_over(run: Callable[..., Path]) -> None:
    output = run()
    with pytest.raises(PathError, match="has checkpoints already"):
        run()
    run("--overwrite_output_dir", "--max_steps", 1)
    assert [path.name for path in output.glob("*checkpoint-*")] == ["checkpoint-1"]


def test_what_does_not_fit_the_checkpoint_is_refused(
    run: Callable[..., Path], tmp_path: Path, pictures: Path
) -> None:
    resume = ("--resume_from_checkpoint", run() / "checkpoint-4")
    with pytest.raises(ConfigError, match="another architecture"):
        run(*resume, "--model", "tiny-digits")
    with pytest.raises(ConfigError, match="seed: 1 now and 42"):
        run(*resume, "--seed", 1)
    with pytest.raises(UsageError, match="batch of 8 can't be cut into 1 ranks x 3"):
        run(*resume, "--gradient_accumulation_steps", 3)
    fewer = tmp_path / "fewer.json"
    fewer.write_text(json.dumps(json.loads((pictures / "train.json").read_text())[:30]))
    with pytest.raises(ConfigError, match="samples: 30 now and 40"):
        run(*resume, "--task_name", fewer)
    with pytest.raises(NotFoundError, match="no checkpoint of a training run"):
        run("--resume_from_checkpoint", tmp_path, output="other")
    with pytest.raises(NotFoundError, match="no checkpoint to go on from"):
        run("--resume_from_checkpoint", "True", output="other")


def test_a_run_that_goes_on_needs_all_that_it_had(run: Callable[..., Path]) -> None:
    output = run("--lock_image", "True")
    again = ("--resume_from_checkpoint", "True", "--max_steps", 6)
    with pytest.raises(ConfigError, match=r"no optimizer's state of .* visual") as raised:
        run(*again)
    assert "--lock_image" in raised.value.remedy
    locked = (*again, "--lock_image", "True")
    with pytest.raises(ConfigError, match="no moving average") as raised:
        run(*locked, "--ema_decay", 0.9)
    assert "Leave out --ema_decay" in raised.value.remedy
    run(*locked)
    assert (output / "checkpoint-6").is_dir()


def test_warm_up_and_steps_have_to_fit(run: Callable[..., Path]) -> None:
    with pytest.raises(UsageError, match="4 steps of warm-up in a training of 4"):
        run("--warmup_steps", 4)
    with pytest.raises(DatasetError, match="40 samples do not fill a batch of 64"):
        run("--per_device_train_batch_size", 64)
