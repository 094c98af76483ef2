"""The script learns: digits that it has never seen, as well as open_clip does on the same batches.

python -m pytest tests/train/test_learning.py -m long -s     # prints the figures
"""

# ruff: noqa: E402 - without paddle and torch there is nothing to import, and nothing to test
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = [pytest.mark.long, pytest.mark.reference, pytest.mark.paddle]
import_paddle()
pytest.importorskip("sklearn", reason="the extra `reference` is not installed")

from PIL import Image
from safetensors.numpy import save_file

from tools.train_tiny import CLASSES, TEMPLATES, digits, split
from train.arguments import parse
from train.data.find import find_data
from train.data.order import BatchOrder
from train.data.samples import Inputs, PairDataset, collate
from train.flags import Arguments
from train.loop import train
from train.start import build, find_start
from train.topology import Topology
from zoo.inputs.preprocess import Preprocess
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import native
from zoo.talk import Silence

ROOT = Path(__file__).parents[2]
SEEDS = (0, 1, 2)
BATCH, STEPS, WARMUP = 64, 500, 50
RATE = {"scratch": 2e-3, "fine-tuning": 1e-4}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits: train.json with images/ to train on, held/ to evaluate on."""
    folder = tmp_path_factory.mktemp("digits")
    images, labels = digits()
    training, held = split(len(labels))
    (folder / "images").mkdir()
    annotations = []
    for i in training:
        Image.fromarray(images[i]).save(folder / "images" / f"{i}.png")
        caption = TEMPLATES[i % len(TEMPLATES)].format(CLASSES[labels[i]])
        annotations.append({"image": f"{i}.png", "caption": caption})
    (folder / "train.json").write_text(json.dumps(annotations))
    for i in held:
        of_class = folder / "held" / "images" / str(labels[i])
        of_class.mkdir(parents=True, exist_ok=True)
        Image.fromarray(images[i]).save(of_class / f"{i}.png")
    (folder / "held" / "labels.txt").write_text("\n".join(CLASSES))
    (folder / "held" / "templates.txt").write_text("\n".join(TEMPLATES))
    return folder


def words(pictures: Path, output: Path, seed: int, *, scratch: bool) -> list[str]:
    return [
        *("--model", "tiny-digits", "--pretrained", str(not scratch), "--seed", str(seed)),
        *("--train_annotations", str(pictures / "train.json")),
        *("--image_root", str(pictures / "images")),
        *("--classification_eval", str(pictures / "held"), "--output_dir", str(output)),
        *("--per_device_train_batch_size", str(BATCH), "--max_steps", str(STEPS)),
        *("--warmup_steps", str(WARMUP), "--weight_decay", "0.1"),
        *("--learning_rate", str(RATE["scratch" if scratch else "fine-tuning"])),
        *("--adam_beta2", "0.98", "--adam_epsilon", "1e-6", "--max_grad_norm", "1.0"),
    ]


def ours(argv: list[str]) -> float:
    """The script's own zero-shot accuracy at its end, in percent."""
    arguments = parse(argv)
    train(arguments, Topology(rank=0, data=1, sharding=1), argv, Silence())
    lines = (Path(arguments.output_dir) / "log.jsonl").read_text().splitlines()
    (event,) = (e for e in map(json.loads, lines) if e.get("event") == "zero-shot")
    return float(event["top1"])


def theirs(arguments: Arguments, folder: Path) -> float:
    """open_clip's, from the same weights, on the batches that the script takes."""
    folder.mkdir()
    start = find_start(arguments, Silence())
    weights = {n: p.numpy() for n, p in build(start, arguments).named_parameters()}
    save_file(weights, folder / "weights.safetensors")
    (folder / "config.json").write_text(json.dumps(native.dump(start.spec)))
    pairs = find_data(arguments)
    inputs = Inputs(
        preprocess=Preprocess(start.spec.preprocess),
        tokenizer=Tokenizer(start.spec.text.context_length),
        seed=arguments.seed,
    )
    order = BatchOrder(len(pairs), batch=BATCH, rank=0, ranks=1, seed=arguments.seed, steps=STEPS)
    dataset = PairDataset(pairs, inputs)
    pixels, tokens, _ = collate([dataset[key] for keys in order for key in keys])
    numbers = np.arange(STEPS * BATCH).reshape(STEPS, BATCH)
    save_file(
        {"pixels": pixels, "tokens": tokens, "order": numbers}, folder / "batches.safetensors"
    )
    recipe = {
        "learning_rate": arguments.learning_rate,
        "weight_decay": arguments.weight_decay,
        "beta1": arguments.adam_beta1,
        "beta2": arguments.adam_beta2,
        "epsilon": arguments.adam_epsilon,
        "max_grad_norm": arguments.max_grad_norm,
        "warmup": WARMUP,
    }
    (folder / "recipe.json").write_text(json.dumps(recipe))
    subprocess.run(
        [sys.executable, Path(__file__).with_name("open_clip_run.py"), folder, "float32"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=True,
        timeout=3600,
    )
    (folder / "batches.safetensors").unlink()  # hundreds of MB
    found = json.loads((folder / "float32" / "zero_shot.json").read_text())["top1"]
    return 100.0 * found["correct"] / found["of"]


def test_it_learns_as_well_as_open_clip_and_better_from_a_checkpoint(
    pictures: Path, tmp_path: Path
) -> None:
    our, their = [], []
    for seed in SEEDS:
        argv = words(pictures, tmp_path / f"ours-{seed}", seed, scratch=True)
        our.append(ours(argv))
        their.append(theirs(parse(argv), tmp_path / f"theirs-{seed}"))
        print(f"seed {seed}: ours {our[-1]:.2f} %, open_clip {their[-1]:.2f} %", flush=True)
    tuned = ours(words(pictures, tmp_path / "tuned", SEEDS[0], scratch=False))
    spread = max(their) - min(their)
    print(
        f"mean of {len(SEEDS)}: ours {np.mean(our):.2f} %, open_clip {np.mean(their):.2f} %, "
        f"whose seeds spread over {spread:.2f}; fine-tuned {tuned:.2f} %"
    )
    assert min(our) > 50  # of ten classes, by chance 10
    assert abs(np.mean(our) - np.mean(their)) <= spread
    assert tuned > max(our)
