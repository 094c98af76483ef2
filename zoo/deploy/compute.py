"""``python -m zoo.deploy.compute REQUEST.json``: what programs compute on the reference's inputs.

The request is ``zoo.deploy.request.ComputeRequest``; ``out`` gets ``visual.features`` [n, E],
``text.features`` [m, E], not normalised, and ``logits`` [n, m] = exp(logit_scale) * cosine, as far
as there are towers. stdout and stderr are as in ``zoo.verify.process``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from zoo.deploy import folder
from zoo.deploy.predictor import Predictor
from zoo.deploy.request import ComputeRequest
from zoo.runtime import import_paddle
from zoo.verify.process import answer, tell


def compute(request: ComputeRequest) -> dict[str, Any]:
    """Answers the request.

    Raises:
        ZooError: there are no programs; Paddle is not installed.
    """
    paddle = import_paddle(parity=True)
    programs, inputs, out = (Path(p) for p in (request.programs, request.inputs, request.out))
    record = folder.read(programs)
    out.mkdir(parents=True, exist_ok=True)
    units = []
    towers = (("visual", record.image, "pixels"), ("text", record.text, "tokens"))
    for done, (tower, program, kind) in enumerate(towers, start=1):
        if program is not None:
            features = Predictor(programs, program)(np.load(inputs / f"input.{kind}.npy"))
            np.save(out / f"{tower}.features.npy", features)
            units.append(features / np.linalg.norm(features, axis=1, keepdims=True))
        tell("compute", done, len(towers), tower)
    if record.logit_scale is not None:
        images, texts = units
        np.save(out / "logits.npy", np.float32(np.exp(record.logit_scale)) * images @ texts.T)
    return {"version": paddle.__version__, "commit": paddle.version.commit}


if __name__ == "__main__":
    sys.exit(answer(sys.argv[1:], ComputeRequest, compute))
