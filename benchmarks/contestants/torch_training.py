"""A training step as open_clip's own script takes it: its loss, torch's AdamW, its clamp."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.contestants.serve import Works
from benchmarks.contestants.torch_product import product
from zoo.verify.reference.libraries import open_clip, torch

RATE, DECAY = 1e-6, 0.2


def prepare(folder: str) -> Works:
    model, _ = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    model.train()
    named = list(model.named_parameters())
    # open_clip_train/main.py: what is a vector does not decay.
    plain = [p for n, p in named if p.ndim < 2 or "bn" in n or "ln" in n or "bias" in n]
    others = [p for n, p in named if all(p is not q for q in plain)]
    optimizer = torch.optim.AdamW(
        [{"params": plain, "weight_decay": 0.0}, {"params": others, "weight_decay": DECAY}],
        lr=RATE,
        betas=(0.9, 0.98),
        eps=1e-6,
    )
    loss_of = open_clip.ClipLoss()

    def step(batch: Any) -> Any:
        optimizer.zero_grad()
        images, texts, scale = model(
            torch.from_numpy(batch["pixels"]), torch.from_numpy(batch["tokens"])
        )[:3]
        loss = loss_of(images, texts, scale)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            model.logit_scale.clamp_(0, math.log(100))
        return loss.item()

    return {"step": step, "product": product()}
