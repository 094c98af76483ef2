"""A training without a framework, to be killed at every step of writing its checkpoints.

It takes the options of train/run_pretrain_dist.py that matter to checkpoints; a step's weights
follow from those of the step before.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from tests.bad_inputs.checkpoint import config
from train import checkpoint
from train.checkpoint import Snapshot, State
from zoo.convert.writer import WEIGHTS_NAME
from zoo.spec import open_clip
from zoo.spec.layout import native_shapes


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--output_dir", type=Path)
    parser.add_argument("--max_steps", type=int)
    parser.add_argument("--save_steps", type=int)
    parser.add_argument("--save_total_limit", type=int)
    parser.add_argument("--resume_from_checkpoint")
    parser.add_argument("--overwrite_output_dir", action="store_true")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(argv)


def main(argv: list[str]) -> None:
    asked = parse(argv)
    spec = open_clip.parse(config(), "config")
    random = np.random.default_rng(asked.seed)
    weights = {
        name: random.standard_normal(shape, np.float32)
        for name, shape in native_shapes(spec).items()
    }
    moments = dict.fromkeys(weights, np.zeros(3, np.float32))
    done = 0
    with checkpoint.owned(asked.output_dir, print):
        if asked.resume_from_checkpoint:
            folder = checkpoint.find_checkpoint("true", asked.output_dir)
            print(f"going on from {folder.name}", file=sys.stderr)
            done = checkpoint.read_state(folder).step
            weights = checkpoint.read_arrays(folder / checkpoint.MODEL / WEIGHTS_NAME)
            moments = checkpoint.read_arrays(folder / checkpoint.OPTIMIZER_NAME)
        if asked.overwrite_output_dir:
            checkpoint.set_aside(asked.output_dir, after=done)
        for step in range(done + 1, asked.max_steps + 1):
            moments = {name: moment + np.float32(1.5) for name, moment in moments.items()}
            weights = {name: a + moments[name][0] for name, a in weights.items()}
            if step % asked.save_steps == 0:
                snapshot = Snapshot(
                    name="small",
                    spec=spec,
                    weights=weights,
                    ema=weights,
                    optimizer=moments,
                    state=State(step=step, batch=1, samples=None, seed=0),
                )
                keep = asked.save_total_limit
                checkpoint.save(asked.output_dir, snapshot, command=["train"], keep=keep)


if __name__ == "__main__":
    main(sys.argv[1:])
