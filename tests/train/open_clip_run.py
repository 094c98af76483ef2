"""open_clip's side: its model, loss, AdamW, schedule and clipping, on batches that are given.

open_clip_run.py FOLDER DTYPE...   reads recipe.json, config.json, batches.safetensors and
                                   weights.safetensors; for each of float32 and float64 it writes
                                   DTYPE.npy, the loss of every step, and in DTYPE/ what it has
                                   trained, with its zero-shot accuracy on the held-out digits
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from tools.train_tiny import digits, new_model, save_model, save_zero_shot, split
from zoo.convert.plan import make_plan
from zoo.convert.tables import OPEN_CLIP, rows_for
from zoo.spec import native
from zoo.verify.reference.libraries import open_clip, torch


def start(folder: Path) -> open_clip.CLIP:
    """open_clip's model with the native weights."""
    model = new_model()
    spec = native.read(folder / "config.json")
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    plan = make_plan(
        rows_for(OPEN_CLIP, spec, scale_shape=()),
        shapes,
        spec,
        droppable=OPEN_CLIP.dropped,
        where="open_clip",
    )
    weights = load_file(folder / "weights.safetensors")
    state = {}
    for step in plan.inverse().steps:
        arrays = step.op.apply([weights[name] for name in step.sources])
        for name, array in zip(step.targets, arrays, strict=True):
            state[name] = torch.tensor(np.ascontiguousarray(array))
    model.load_state_dict(state)
    return model.train()


def train(folder: Path, dtype: torch.dtype) -> tuple[open_clip.CLIP, list[float]]:
    """The model after all batches, and the loss of each."""
    recipe = json.loads((folder / "recipe.json").read_text())
    data = {name: torch.tensor(a) for name, a in load_file(folder / "batches.safetensors").items()}
    model = start(folder).to(dtype)
    # The groups, the schedule and the clamp are those of open_clip_train's main.py and train.py.
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    vectors = [p for p in model.parameters() if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": vectors, "weight_decay": 0.0},
            {"params": matrices, "weight_decay": recipe["weight_decay"]},
        ],
        lr=recipe["learning_rate"],
        betas=(recipe["beta1"], recipe["beta2"]),
        eps=recipe["epsilon"],
    )
    steps = len(data["order"])
    schedule = cosine_lr(optimizer, recipe["learning_rate"], recipe["warmup"], steps)
    contrastive = open_clip.ClipLoss()
    curve = []
    for step, indices in enumerate(data["order"]):
        schedule(step)
        optimizer.zero_grad()
        features = model(data["pixels"][indices].to(dtype), data["tokens"][indices])
        loss = contrastive(*features)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["max_grad_norm"], norm_type=2.0)
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        curve.append(loss.item())
    return model, curve


if __name__ == "__main__":
    from open_clip_train.scheduler import cosine_lr

    torch.set_num_threads(1)
    where = Path(sys.argv[1])
    pictures, labels = digits()
    for name in sys.argv[2:]:
        trained, curve = train(where, getattr(torch, name))
        np.save(where / f"{name}.npy", np.array(curve))
        save_model(trained.float(), where / name)
        save_zero_shot(where / name, pictures, labels, split(len(labels))[1])
