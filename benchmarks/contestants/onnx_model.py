"""ONNX Runtime on a tower that open_clip's own model was exported to."""

from __future__ import annotations

from typing import Any

import onnxruntime

from benchmarks.contestants.serve import Works


def prepare(path: str) -> Works:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def run(values: Any) -> Any:
        return session.run(None, {given.name: values})[0]

    return {"images": run, "texts": run}
