# ruff: noqa: E402 - the project's root comes onto the path first
"""Zero-shot classification; started as PaddleMIX's script of this name.

    python train/run_zero_shot_eval.py --model CLIP-ViT-L-14-laion2B-s32B-b82K \\
        --classification_eval ~/imagenet --output_dir output ...
    python -m paddle.distributed.launch --nproc_per_node 8 train/run_zero_shot_eval.py ...

Several processes share the pictures, and their result is that of one.
"""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the project's root, not this folder

from train import job
from train.evaluation import evaluate, parse
from zoo.cli.output import Output
from zoo.runtime import import_paddle
from zoo.talk import Silence

if TYPE_CHECKING:
    from zoo.verify.zeroshot import Row


def main(argv: list[str]) -> int:
    """Runs one rank; returns the exit code, docs/commands.md lists them."""
    with job.reported() as outcome:
        arguments = parse(argv)
        world = int(os.environ.get("PADDLE_TRAINERS_NUM", "1"))
        rank = int(os.environ.get("PADDLE_TRAINER_ID", "0"))
        paddle = import_paddle(parity=True)
        job.heed_sigterm()
        if world > 1:
            paddle.distributed.init_parallel_env()
        talk = Silence() if rank else Output(Namespace(json=0, quiet=0, verbose=0))
        gather = everybodys if world > 1 else list
        evaluate(arguments, rank=rank, world=world, gather=gather, talk=talk)
    return outcome.code


def everybodys(rows: list[Row]) -> list[Row]:
    """The rows of all ranks, in every rank."""
    import paddle.distributed as dist

    parts: list[list[Row]] = []
    dist.all_gather_object(parts, rows)
    return [row for part in parts for row in part]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
