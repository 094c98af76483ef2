"""Small pictures with captions, a small model, and a way to run jobs."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from train.arguments import parse
from train.flags import Arguments
from train.topology import Topology
from zoo.runtime import import_paddle
from zoo.spec import CLIPSpec, PreprocessSpec, TextSpec, VisionSpec

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "train" / "run_pretrain_dist.py"
COLOURS = ("red", "green", "blue", "black", "white", "yellow", "grey", "pink", "brown", "orange")


@pytest.fixture
def arguments() -> Callable[..., Arguments]:
    """Arguments of a command line, with the two that are always needed."""

    def make(*words: object) -> Arguments:
        return parse(["--model", "m", "--output_dir", "o", *map(str, words)])

    return make


@pytest.fixture
def alone() -> Topology:
    return Topology(rank=0, data=1, sharding=1)


@pytest.fixture
def run(words: list[str], alone: Topology, tmp_path: Path) -> Callable[..., Path]:
    """Trains with further words; returns the output."""
    import_paddle()
    from train.loop import train
    from zoo.talk import Silence

    def call(*more: object, output: str = "run") -> Path:
        argv = [*words, "--output_dir", str(tmp_path / output), *map(str, more)]
        train(parse(argv), alone, argv, Silence())
        return tmp_path / output

    return call


@pytest.fixture(scope="session")
def spec() -> CLIPSpec:
    """Different widths throughout; its vocabulary has 98 tokens, of which 96 ends a text."""
    tower: dict[str, Any] = {"activation": "gelu", "norm_eps": 1e-5, "layer_scale": None}
    return CLIPSpec(
        embed_dim=12,
        vision=VisionSpec(
            **tower,
            width=24,
            layers=2,
            heads=4,
            mlp_width=50,
            image_size=(16, 16),
            patch_size=(8, 8),
            ln_pre=True,
            patch_dropout=0.0,
        ),
        text=TextSpec(
            **tower, width=20, layers=3, heads=2, mlp_width=44, context_length=9, vocab_size=98
        ),
        preprocess=PreprocessSpec(
            size=(16, 16),
            mean=(0.5, 0.5, 0.5),
            std=(0.5, 0.5, 0.5),
            interpolation="bicubic",
            resize="shortest",
            fill=0,
        ),
    )


@pytest.fixture(scope="session")
def batch() -> tuple[np.ndarray, np.ndarray]:
    """Pixels [8, 3, 16, 16] and tokens [8, 9], texts of different lengths."""
    random = np.random.default_rng(3)
    pixels = random.normal(0, 1, (8, 3, 16, 16)).astype(np.float32)
    tokens = random.integers(1, 95, (8, 9))
    for row, end in enumerate((3, 7, 1, 5, 8, 2, 6, 4)):
        tokens[row, end] = 96
        tokens[row, end + 1 :] = 0
    return pixels, tokens


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: train.json, images/ with 40 pictures, and eval/ for zero-shot."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "images").mkdir()
    random = np.random.default_rng(0)
    annotations = []
    for number in range(40):
        pixels = random.integers(0, 256, (20, 24, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "images" / f"{number}.png")
        caption = f"picture {number}, {COLOURS[number % 10]} and {COLOURS[number // 10]}"
        annotations.append({"image": f"{number}.png", "caption": caption, "image_id": str(number)})
    (folder / "train.json").write_text(json.dumps(annotations))
    for number in range(6):
        of_class = folder / "eval" / "images" / f"n{number % 2}"
        of_class.mkdir(parents=True, exist_ok=True)
        (of_class / f"{number}.png").write_bytes((folder / f"images/{number}.png").read_bytes())
    (folder / "eval" / "labels.txt").write_text("red\ngreen\n")
    (folder / "eval" / "templates.txt").write_text("a {} picture.\n{}\n")
    return folder


@pytest.fixture(scope="session")
def small(spec: CLIPSpec, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zoo folder of a model that takes CLIP's tokens."""
    import_paddle()
    from train.folder import write_model
    from zoo.models.clip import CLIP
    from zoo.models.initialize import initialize

    whole = replace(spec, text=replace(spec.text, vocab_size=49408, context_length=77))
    weights = {n: p.numpy() for n, p in initialize(CLIP(whole), 3).named_parameters()}
    folder = tmp_path_factory.mktemp("model") / "small"
    write_model(folder, whole, weights, "small", ["test"])
    return folder


@pytest.fixture
def words(pictures: Path, small: Path, tmp_path: Path) -> list[str]:
    """A command line that trains the small model for four steps."""
    return [
        *("--model", str(small)),
        *("--task_name", str(pictures / "train.json")),
        *("--image_root", str(pictures / "images")),
        *("--output_dir", str(tmp_path / "run")),
        *("--per_device_train_batch_size", "8"),
        *("--learning_rate", "1e-3"),
        *("--max_steps", "4"),
        *("--logging_steps", "1"),
    ]


@pytest.fixture
def read_log() -> Callable[[Path], list[dict[str, Any]]]:
    """The steps of a run's log, without its speed."""

    def read(output: Path) -> list[dict[str, Any]]:
        entries = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
        return [
            {name: value for name, value in entry.items() if name != "images_per_second"}
            for entry in entries
            if "loss" in entry
        ]

    return read


@pytest.fixture
def run_script(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the script as a user does, on one process or under the launcher.

    ``script`` is another one to launch; ``ranks`` 1 is without the launcher.
    """

    def run(
        *argv: object, ranks: int = 1, script: Path = SCRIPT, limit: float = 180
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable]
        if ranks > 1:
            command += ["-m", "paddle.distributed.launch", "--nproc_per_node", str(ranks)]
            command += ["--log_dir", str(tmp_path / "ranks"), "--log_overwrite", "True"]
            command += ["--start_port", str(_free_port())]
        return subprocess.run(
            [*command, str(script), *map(str, argv)],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )

    return run


@pytest.fixture
def free_port() -> Callable[[], int]:
    return _free_port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
