from __future__ import annotations

import pickle
import pickletools
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from zoo.convert.pdparams_writer import write_pdparams
from zoo.convert.readers import open_checkpoint
from zoo.convert.stream import Tensor

ARRAYS = {
    "logit_scale": np.float32([4.6]),
    "matrix": np.arange(6, dtype=np.float16).reshape(2, 3),
    "view": np.arange(6, dtype=np.float64).reshape(2, 3).T,
    "brain": np.array([1.5, -2], ml_dtypes.bfloat16),
    "name é": np.ones((1, 2, 3, 4), np.float32),
}


def tensor(name: str) -> Tensor:
    array = ARRAYS[name]
    return Tensor(name=name, shape=array.shape, dtype=str(array.dtype), produce=lambda: array)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "model_state.pdparams"
    told: list[int] = []
    digests = write_pdparams(path, [tensor(name) for name in ARRAYS], told.append)
    assert list(digests) == list(ARRAYS)
    assert sum(told) == sum(array.nbytes for array in ARRAYS.values())
    return path


def test_python_loads_it(written: Path) -> None:
    found = pickle.loads(written.read_bytes())
    assert list(found) == list(ARRAYS)
    for name, array in ARRAYS.items():
        expected = array.view(np.uint16) if name == "brain" else array
        assert found[name].dtype == expected.dtype
        assert np.array_equal(found[name], expected), name
        assert found[name].flags.writeable


def test_its_opcodes_are_protocol_4_s_and_its_module_names_both_numpys(written: Path) -> None:
    opcodes = list(pickletools.genops(written.read_bytes()))
    assert max(opcode.proto for opcode, _, _ in opcodes) == 4
    words = {argument for _, argument, _ in opcodes if isinstance(argument, str)}
    assert {word for word in words if "." in word} == {"numpy.core.multiarray"}


def test_zoo_reads_it(written: Path) -> None:
    with open_checkpoint(written) as checkpoint:
        assert list(checkpoint.tensors) == list(ARRAYS)
        for name, array in ARRAYS.items():
            assert checkpoint.tensors[name].dtype == array.dtype
            assert np.array_equal(checkpoint.tensor(name), array), name


@pytest.mark.paddle
def test_paddle_loads_it(written: Path) -> None:
    paddle = pytest.importorskip("paddle", reason="the extra `cpu` is not installed")
    found = paddle.load(str(written))
    for name in ("logit_scale", "matrix", "view", "name é"):
        assert np.array_equal(found[name].numpy(), ARRAYS[name]), name
    # numpy's uint16 is what Paddle takes for bfloat16.
    assert found["brain"].dtype == paddle.bfloat16
    assert found["brain"].astype("float32").numpy().tolist() == [1.5, -2.0]
