"""Trains zoo/data/tiny: a small CLIP on handwritten digits, with open_clip's own model and loss.

It is for showing and testing, offline and in seconds, what is done to large checkpoints. So its
widths all differ and only attention's matrices are square, its MLP ratios do not give whole widths,
and its activation is QuickGELU: a transpose left out, a width or an activation mixed up shows.

    python tools/train_tiny.py            # needs the extra `reference`; some minutes on a CPU
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import safetensors.numpy
import safetensors.torch
from PIL import Image
from sklearn.datasets import load_digits

from zoo.verify.goldens import ORIGIN, TENSORS, Origin, open_taps
from zoo.verify.probe import load_probe
from zoo.verify.reference.libraries import open_clip, torch
from zoo.verify.reference.model import environment, load
from zoo.verify.reference.zeroshot import classify
from zoo.verify.request import ModelRequest, TapsRequest

FOLDER = Path(__file__).parent.parent / "zoo" / "data" / "tiny"
WEIGHTS = "open_clip_model.safetensors"
SEED = 0
HELD_OUT = 397  # of 1797 pictures
STEPS = 1500
GROUPS = 8  # groups of ten pictures, one of each class, in a step
LEARNING_RATE = 2e-3

CONFIG: dict[str, Any] = {
    "embed_dim": 48,
    "quick_gelu": True,
    "vision_cfg": {
        "image_size": 32,
        "patch_size": 8,
        "width": 80,
        "layers": 3,
        "head_width": 16,
        "mlp_ratio": 2.61,
    },
    "text_cfg": {
        "context_length": 77,
        "vocab_size": 49408,
        "width": 32,
        "heads": 4,
        "layers": 2,
        "mlp_ratio": 3.4,
    },
}
CLASSES = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEMPLATES = [
    "a handwritten digit {}.",
    "a photo of the number {}.",
    "the digit {}, written by hand.",
    "a scan of a handwritten {}.",
    "someone wrote {}.",
    "a small grey picture of the digit {}.",
    "{}.",
]


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [1797, 8, 8], of 0 to 255 for scikit-learn's 0 to 16, and labels [1797]."""
    values, labels = load_digits(return_X_y=True)
    return np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8), labels


def split(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices to train on and indices held out, each in rising order."""
    order = np.random.default_rng(SEED).permutation(count)
    return np.sort(order[HELD_OUT:]), np.sort(order[:HELD_OUT])


def new_model() -> open_clip.CLIP:
    torch.manual_seed(SEED)
    model = open_clip.CLIP(**CONFIG)
    preprocess = open_clip.transform.PreprocessCfg(size=CONFIG["vision_cfg"]["image_size"])
    open_clip.model.set_model_preprocess_cfg(model, asdict(preprocess))
    return model


def pixels(model: open_clip.CLIP, pictures: np.ndarray) -> torch.Tensor:
    """float32 [n, 3, 32, 32]: open_clip's evaluation transform of grey pictures."""
    config = open_clip.transform.PreprocessCfg(**model.visual.preprocess_cfg)
    transform = open_clip.transform.image_transform_v2(config, is_train=False)
    return torch.stack([transform(Image.fromarray(picture)) for picture in pictures])


def train(
    model: open_clip.CLIP, images: torch.Tensor, labels: np.ndarray, *, steps: int
) -> Iterator[float]:
    """Trains in place; yields the loss of each of ``steps`` steps.

    A group holds every class once, so that no caption is true of a second picture of its group.
    """
    random = np.random.default_rng(SEED)
    of_class = [np.flatnonzero(labels == label) for label in range(len(CLASSES))]
    texts = [template.format(name) for template in TEMPLATES for name in CLASSES]
    tokens = open_clip.SimpleTokenizer()(texts).reshape(len(TEMPLATES), len(CLASSES), -1)
    contrastive = open_clip.ClipLoss()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), eps=1e-6, weight_decay=0.0
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.1)
    for _ in range(steps):
        groups = np.stack([random.choice(indices, GROUPS) for indices in of_class], axis=1)
        image = model.encode_image(augmented(images[groups.reshape(-1)]), normalize=True)
        text = model.encode_text(tokens[random.integers(len(TEMPLATES))], normalize=True)
        scale = model.logit_scale.exp()
        losses = [contrastive(group, text, scale) for group in image.split(len(CLASSES))]
        loss = torch.stack(losses).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        yield loss.item()


def augmented(images: torch.Tensor) -> torch.Tensor:
    """Turned by up to 0.2 radians, scaled by up to 15 % and shifted by up to 2.4 pixels."""
    angle, zoom, right, down = torch.rand(4, len(images)) * 2 - 1
    cos, sin = torch.cos(0.2 * angle), torch.sin(0.2 * angle)
    scale = 1 + 0.15 * zoom
    rows = [scale * cos, -scale * sin, 0.15 * right, scale * sin, scale * cos, 0.15 * down]
    functional = torch.nn.functional
    grid = functional.affine_grid(torch.stack(rows, 1).view(-1, 2, 3), list(images.shape), False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def save_model(model: open_clip.CLIP, folder: Path) -> None:
    """As open_clip's save_for_hf does, without the tokenizer's files, which nobody reads."""
    from open_clip.push_to_hf_hub import save_config_for_hf

    folder.mkdir(parents=True, exist_ok=True)
    safetensors.torch.save_file(model.state_dict(), folder / WEIGHTS)
    save_config_for_hf(model, folder / "open_clip_config.json", CONFIG)


def save_zero_shot(
    folder: Path, pictures: np.ndarray, labels: np.ndarray, held: np.ndarray
) -> float:
    """Writes what open_clip makes of the held-out pictures; returns its top-1 accuracy."""
    request = ModelRequest(folder=str(folder), dtype="keep")
    reference = load(request)
    assert reference.preprocess is not None
    images = (reference.preprocess(Image.fromarray(picture)) for picture in pictures[held])
    answers = classify(reference, images, classes=CLASSES, templates=TEMPLATES)
    correct = int((answers["predictions"] == labels[held]).sum())
    arrays = {
        "images": pictures[held],
        "labels": labels[held].astype(np.int64),
        "predictions": answers["predictions"],
        "scores": answers["scores"],
    }
    safetensors.numpy.save_file(arrays, folder / "held_out.safetensors")
    facts = {
        "classes": CLASSES,
        "templates": TEMPLATES,
        "top1": {"correct": correct, "of": len(held)},
        "held_out": {
            "data": "sklearn.datasets.load_digits",
            "seed": SEED,
            "indices": held.tolist(),
        },
        "environment": environment(request, reference),
    }
    write_json(folder / "zero_shot.json", facts)
    return correct / len(held)


def save_goldens(folder: Path) -> None:
    """Writes the reference's values on the probe, and what they were made from."""
    probe = load_probe()
    goldens = folder / "goldens"
    goldens.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        request = TapsRequest(
            folder=str(folder),
            dtype="keep",
            out=scratch,
            images=[str(path) for path in probe.images],
            texts=list(probe.texts),
        )
        asked = Path(scratch, "request.json")
        asked.write_bytes(msgspec.json.encode(request))
        subprocess.run(
            [sys.executable, "-m", "zoo.verify.reference", asked],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        taps = open_taps(Path(scratch))
        arrays = {name: np.array(taps.get(name)) for name in taps.keys()}  # noqa: SIM118
        safetensors.numpy.save_file(arrays, goldens / TENSORS)
        origin = Origin(
            weights=hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
            probe=probe.digests(),
            environment=json.loads(Path(scratch, "environment.json").read_text()),
        )
    write_json(goldens / ORIGIN, msgspec.to_builtins(origin))


def write_json(path: Path, document: Any) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n")


def main() -> None:
    # One thread and fixed algorithms: the same seed gives the same weights again.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    started = time.monotonic()
    pictures, labels = digits()
    training, held = split(len(labels))
    model = new_model()
    losses = train(model, pixels(model, pictures[training]), labels[training], steps=STEPS)
    for step, loss in enumerate(losses, start=1):
        if step % 100 == 0:
            print(f"step {step} of {STEPS}: loss {loss:.4f}, {time.monotonic() - started:.0f} s")
    save_model(model, FOLDER)
    print(f"held-out top-1: {save_zero_shot(FOLDER, pictures, labels, held):.4f}")
    save_goldens(FOLDER)


if __name__ == "__main__":
    main()
