# ruff: noqa: E402 - the project's root comes onto the path first
"""Trains a CLIP; started as PaddleMIX's script of this name.

    python -m paddle.distributed.launch --nproc_per_node 8 train/run_pretrain_dist.py \\
        --model ViT-B-32 --output_dir output ...
    python train/run_pretrain_dist.py --help
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from argparse import Namespace
from pathlib import Path
from types import ModuleType

sys.path[0] = str(Path(__file__).resolve().parents[1])  # the project's root, not this folder

from train import job
from train.arguments import parse
from train.topology import find_topology
from zoo.cli.output import Output
from zoo.runtime import REFUSALS, import_paddle, no_device
from zoo.talk import Silence


def main(argv: list[str]) -> int:
    """Runs one rank; returns the exit code, docs/commands.md lists them."""
    with job.reported() as outcome:
        arguments = parse(argv)
        topology = find_topology(arguments)
        paddle = import_paddle()  # which sets signals of its own
        with job.one_failure(topology, Path(arguments.output_dir)):
            if arguments.device:
                _choose(paddle, arguments.device)
            from train import processes
            from train.loop import train

            processes.start(topology)

            talk = Silence() if topology.rank else Output(Namespace(json=0, quiet=0, verbose=0))
            train(arguments, topology, ["train/run_pretrain_dist.py", *argv], talk)
            processes.meet(topology)  # no rank goes while another still talks to it
    return outcome.code


def _choose(paddle: ModuleType, device: str) -> None:
    if device == "cpu":  # a Paddle for GPUs would take one as it joins a job
        os.environ["PADDLE_DISTRI_BACKEND"] = "gloo"
    try:
        paddle.set_device(device)
    except REFUSALS as error:
        raise no_device(device, error) from None


if __name__ == "__main__":
    code = main(sys.argv[1:])
    if os.environ.get("PADDLE_TRAINERS_NUM", "1") == "1":
        sys.exit(code)
    # Everything is written; taking Paddle's process groups down may still crash a rank.
    for reader in multiprocessing.active_children():  # which would wait for this process
        reader.kill()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
