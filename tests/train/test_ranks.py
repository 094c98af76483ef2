"""Several ranks against one process with the whole batch: the same gradients, the same weights."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from zoo.runtime import import_paddle
from zoo.spec import CLIPSpec, native

pytestmark = [pytest.mark.paddle, pytest.mark.distributed]
import_paddle()

RANK = Path(__file__).with_name("rank.py")
STEPS = 20
EPS = float(np.finfo(np.float32).eps)
Arrays = dict[str, np.ndarray]
# DTYPE,SHARDING,STAGE,TENSOR,LOCAL,GATHER,PIECES
TWO = {
    "whole logits": "float32,1,,1,false,false,1",
    "whole logits, gathered with gradient": "float32,1,,1,false,true,1",
    "local": "float32,1,,1,true,true,1",
    "in pieces": "float32,1,,1,true,true,2",
    "in pieces, whole logits": "float32,1,,1,false,false,2",
    "stage 1": "float32,2,stage1,1,true,true,1",
    "stage 1, whole logits": "float32,2,stage1,1,false,false,1",
    "stage 2": "float32,2,stage2,1,true,true,1",
    "stage 2, in pieces": "float32,2,stage2,1,true,true,2",
}
TENSOR = {  # Fleet takes one topology in a process
    "tensor": "float32,1,,2,true,true,1",
    "tensor, in pieces": "float32,1,,2,true,true,2",
}
FOUR = {"four": "float32,1,,1,true,true,1"}
HYBRID = {
    "data and tensor": "float32,1,,2,true,true,1",
    "stage 1 and tensor": "float32,2,stage1,2,true,true,2",
    "data and stage 2": "float32,2,stage2,1,true,true,2",
}
TRIES = 3  # of a job of four ranks in groups, which gloo does not always connect


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, spec: CLIPSpec) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "config.json").write_text(json.dumps(native.dump(spec)))
    return folder


@pytest.fixture
def results(
    runs: Path, run_script: Callable[..., subprocess.CompletedProcess[str]]
) -> Callable[[int, dict[str, str], str], Arrays]:
    """A case's arrays of one rank; the job of all cases runs once."""

    def get(ranks: int, cases: dict[str, str], name: str, rank: int = 0) -> Arrays:
        path = runs / f"{name}-{rank}.safetensors"
        if not path.exists():
            words = [f"{case}={values}" for case, values in cases.items()]
            for _ in range(TRIES if cases.items() <= HYBRID.items() else 1):
                done = run_script(runs, STEPS, *words, ranks=ranks, script=RANK)
                if done.returncode == 0:
                    break
            assert done.returncode == 0, done.stdout + done.stderr
        return load_file(path)

    return get


@pytest.fixture
def references(results: Callable[..., Arrays]) -> tuple[Arrays, Arrays]:
    """One process with the whole batch: in float32 and in float64."""
    cases = {f"one-{t}": f"{t},1,,1,false,false,1" for t in ("float32", "float64")}
    single, double = (results(1, cases, name) for name in cases)
    return single, double


def gradients(arrays: Arrays) -> set[str]:
    return {key for key in arrays if key.startswith("gradient.")}


def error(found: np.ndarray, exact: np.ndarray) -> float:
    """Relative RMS."""
    return float(np.linalg.norm(found.astype(np.float64) - exact) / np.linalg.norm(exact))


CASES = [
    *(pytest.param(2, of, name, id=name) for of in (TWO, TENSOR) for name in of),
    pytest.param(4, FOUR, "four", id="four ranks", marks=pytest.mark.long),
    *(
        pytest.param(4, {name: values}, name, id=name, marks=pytest.mark.long)
        for name, values in HYBRID.items()
    ),
]


@pytest.mark.parametrize(("ranks", "of", "name"), CASES)
def test_gradients_are_those_of_the_whole_batch(
    results: Callable[..., Arrays],
    references: tuple[Arrays, Arrays],
    ranks: int,
    of: dict[str, str],
    name: str,
) -> None:
    single, double = references
    found = results(ranks, of, name)
    if "stage 2" in name:
        other = results(ranks, of, name, 1)
        assert not gradients(found) & gradients(other)  # each is kept by its owner alone
        found = found | {key: other[key] for key in gradients(other)}
    names = gradients(double)
    assert gradients(found) == names
    largest = max(float(np.abs(double[key]).max()) for key in names)
    # The float64 band over tensors: float32's own error, which is larger for the one than for the
    # other by chance, times two.
    band = 2 * max(error(single[k], double[k]) for k in names if not k.endswith("k_proj.bias"))
    assert band < 1e-4
    for key in names:
        if key.endswith("k_proj.bias"):  # no gradient but rounding
            assert float(np.abs(found[key]).max()) < 100 * EPS * largest, key
        else:
            assert error(found[key], double[key]) <= band, key


@pytest.mark.parametrize(("ranks", "of", "name"), CASES)
def test_weights_after_twenty_steps_are_the_same(
    results: Callable[..., Arrays],
    references: tuple[Arrays, Arrays],
    ranks: int,
    of: dict[str, str],
    name: str,
) -> None:
    single, double = references
    found = results(ranks, of, name)
    assert found["norm"][0] > 0.5  # clipping had something to clip
    for key, exact in double.items():
        if key.startswith("weight.") and not key.endswith("k_proj.bias"):
            # Adam divides a gradient by its own size: where one is nearly 0, rounding decides its
            # step, and one process in float32 is as far from float64.
            assert error(found[key], exact) < max(1e-5, 2 * error(single[key], exact)), key
    np.testing.assert_allclose(found["losses"], single["losses"], rtol=1e-5)


@pytest.mark.parametrize(("of", "name"), [(of, name) for of in (TWO, TENSOR) for name in of])
def test_both_ranks_end_with_the_same(
    results: Callable[..., Arrays], of: dict[str, str], name: str
) -> None:
    first, second = (results(2, of, name, rank) for rank in (0, 1))
    state = {key for key in first if key.startswith("state.")}
    assert state and not state & second.keys()  # one rank writes it
    for key in first.keys() - state - (gradients(first) if "stage 2" in name else set()):
        np.testing.assert_array_equal(second[key], first[key], err_msg=key)
