"""The seed's own commands, as docs/migrating.md has them, in a shell."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.runtime import import_paddle

pytestmark = [pytest.mark.paddle, pytest.mark.distributed, pytest.mark.long]
import_paddle()

ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```\n(.*?)```", (ROOT / "docs" / "migrating.md").read_text(), re.DOTALL)
MODEL = "paddlemix/CLIP/CLIP-ViT-L-14-laion2B-s32B-b82K"


@pytest.fixture
def home(pictures: Path, tmp_path: Path) -> Path:
    """PaddleMIX's folder with COCO in it."""
    coco = tmp_path / "home" / "datasets" / "coco"
    (coco / "annotations").mkdir(parents=True)
    (coco / "images").symlink_to(pictures / "images")
    shutil.copy(pictures / "train.json", coco / "annotations" / "coco_karpathy_train.json")
    return tmp_path / "home"


def shell(text: str, home: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", text],
        cwd=ROOT,
        env=os.environ | {"PPMIX_HOME": str(home), "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def changed(text: str, changes: dict[str, object]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, str(new))
    return text


def test_the_training_command(home: Path, small: Path, pictures: Path, tmp_path: Path) -> None:
    training, _ = BLOCKS
    assert training.endswith("\\\n\n")  # the trap
    command = changed(
        training,
        {
            f'"{MODEL}"': small,
            "[YOUR ImageNet1K val data path]": pictures / "eval",
            '"./output"': tmp_path / "output",
            "--nproc_per_node 8": f"--nproc_per_node 2 --log_dir {tmp_path}/ranks",
            "--sharding_parallel_degree 8": "--sharding_parallel_degree 2",
            "--num_train_epochs 200": "--num_train_epochs 2",
            "--warmup_steps 2000": "--warmup_steps 1",
        },
    )
    done = shell(command, home)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = (tmp_path / "output" / "log.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [entry["step"] for entry in entries if "loss" in entry] == [1, 2]  # 40 in 16 x 2
    (event,) = (entry for entry in entries if entry.get("event") == "zero-shot")
    assert event["label"] == "CLIP-ViT-L-14-laion2B-s32B-b82K"
    assert (tmp_path / "output" / "checkpoint-2" / "model" / "model.safetensors").is_file()


def test_the_evaluation_command(home: Path, small: Path, pictures: Path, tmp_path: Path) -> None:
    _, evaluation = BLOCKS
    command = changed(
        evaluation,
        {
            f'"{MODEL}"': small,
            '"CLIP-ViT-L-14-laion2B-s32B-b82K"': small,
            "[YOUR ImageNet1K val data path]": pictures / "eval",
            '"output"': tmp_path / "output",
        },
    )
    done = shell(command, home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "zero-shot classification task: " in done.stdout
    assert (
        json.loads((tmp_path / "output" / "zero_shot.json").read_text())["figures"]["images"] == 6
    )


@pytest.mark.parametrize("block", BLOCKS)
def test_a_space_behind_the_last_backslash_is_told(home: Path, block: str) -> None:
    command = block.replace("[YOUR ImageNet1K val data path]", "x").rstrip() + " \n"
    done = shell(command.replace("-m paddle.distributed.launch --nproc_per_node 8", ""), home)
    assert done.returncode == 2 and "backslash" in done.stderr
