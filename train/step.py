"""One step of a training."""

from __future__ import annotations

import math

import numpy as np
import paddle
from paddle import Tensor

from train.run import Run
from train.schedule import learning_rate
from zoo.errors import NonfiniteError

LARGEST_SCALE = math.log(100)


def take_step(run: Run, step: int, pixels: Tensor, tokens: Tensor, bad: int) -> dict[str, float]:
    """Trains on one batch; every rank of the job calls it.

    Args:
        run: changed by it.
        step: how many were done before.
        pixels: float32 [B, 3, height, width], this replica's part of the batch.
        tokens: int64 [B, L].
        bad: samples that this replica has not been able to use since it was started.

    Returns:
        What there is to tell, the same on every rank.

    Raises:
        NonfiniteError: the loss or its gradient is no number.
    """
    arguments, plan, model = run.arguments, run.plan, run.engine.model
    draws = np.random.SeedSequence([arguments.seed, step, run.topology.replica]).generate_state(1)
    scale = 1.0 if run.loss_scale is None else run.loss_scale.value
    own = run.engine.backward(
        *(pixels, tokens),
        pieces=arguments.gradient_accumulation_steps,
        seed=int(draws[0]),
        scale=scale,
    )
    loss, bad_samples = run.engine.total(float(own), bad)  # summed over replicas
    loss /= run.topology.replicas
    norm = run.optimizer.clip(arguments.max_grad_norm, scale)
    if not math.isfinite(loss) or (run.loss_scale is None and not math.isfinite(norm)):
        epoch, batch = divmod(step, plan.per_epoch)
        raise NonfiniteError(
            f"the loss is {loss} and its gradient's norm {norm} at step {step + 1}: "
            f"batch {batch + 1} of epoch {epoch + 1}",
            remedy="The last checkpoint is as it was. Lower the rate, or lengthen the warm-up.",
        )
    rate = learning_rate(step, base=arguments.learning_rate, warmup=plan.warmup, steps=plan.steps)
    if run.loss_scale is None or run.loss_scale.takes(norm):
        run.optimizer.step(rate)
        with paddle.no_grad():
            model.logit_scale.clip_(0.0, LARGEST_SCALE)
        if run.average is not None:
            run.average.update(model)
    else:
        run.optimizer.forget()
        run.report.event("overflow", step + 1, {"loss_scale": run.loss_scale.value})
    return {
        "epoch": (step + 1) / plan.per_epoch,
        "loss": loss,
        "learning_rate": rate,
        "gradient_norm": norm,
        "logit_scale": model.logit_scale.exp().item(),
        "bad_samples": plan.bad_samples + int(bad_samples),
    }
