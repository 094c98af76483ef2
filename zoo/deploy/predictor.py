"""Paddle Inference on CPU: a program and its input in, features out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.deploy.folder import Program
from zoo.runtime import import_paddle, prepare

Array = NDArray[Any]


class Predictor:
    """One tower, ready to run.

    It holds its own copy of the weights, and where the products are oneDNN's another one for each
    size of a batch, laid out as they want them. (Config.enable_memory_optim would save activations;
    with it these programs fail in Paddle 3.3.1.)

    Args:
        folder: of programs.
        program: the one to run.
        bfloat16: multiply in bfloat16, through oneDNN, on a processor that can.
    """

    def __init__(self, folder: Path, program: Program, *, bfloat16: bool = False) -> None:
        import_paddle(parity=True)
        from paddle import inference

        config = inference.Config(str(folder / program.program), str(folder / program.weights))
        config.disable_gpu()
        config.disable_glog_info()
        config.set_cpu_math_library_num_threads(prepare().threads)
        if bfloat16:
            config.enable_onednn_bfloat16()
        self._predictor = inference.create_predictor(config)
        self._input = self._predictor.get_input_handle(program.input)
        (name,) = self._predictor.get_output_names()
        self._output = self._predictor.get_output_handle(name)
        self._dtype = program.dtype

    def __call__(self, values: Array) -> NDArray[np.float32]:
        """[n, ...] -> float32 [n, E], not normalised"""
        values = np.ascontiguousarray(values, self._dtype)
        self._input.reshape(values.shape)
        self._input.copy_from_cpu(values)
        self._predictor.run()
        features: NDArray[np.float32] = self._output.copy_to_cpu()
        return features
