"""What a training consists of."""

from __future__ import annotations

from dataclasses import dataclass

from train.ema import MovingAverage
from train.engine import Engine
from train.flags import Arguments
from train.optimizer import Optimizer
from train.plan import Plan
from train.precision import LossScale
from train.report import Report
from train.topology import Topology
from zoo.imagesets.imageset import ImageSet
from zoo.inputs.preprocess import Preprocess
from zoo.spec import CLIPSpec


@dataclass(kw_only=True)
class Run:
    """Everything that a training consists of; what is None was not asked for."""

    name: str  # of the model that is made
    arguments: Arguments
    topology: Topology
    plan: Plan
    spec: CLIPSpec
    engine: Engine
    optimizer: Optimizer
    average: MovingAverage | None
    loss_scale: LossScale | None
    preprocess: Preprocess
    pictures: ImageSet | None
    report: Report
    command: list[str]
