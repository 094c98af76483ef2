"""OpenVINO on the same file as ONNX Runtime, in the precision it is told to multiply in."""

from __future__ import annotations

from typing import Any

import openvino

from benchmarks.contestants.serve import Works


def prepare(path: str, precision: str = "f32") -> Works:
    """``precision``: f32 or bf16; OpenVINO's own choice is bf16 where the processor has it."""
    hints = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
    model = openvino.Core().compile_model(path, "CPU", hints)

    def run(values: Any) -> Any:
        return model(values)[0]

    return {"images": run, "texts": run}
