"""Memory: bounded by what a few tensors take, whatever the checkpoint's size or its headers say."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.case import Case
from tests.bad_inputs.cases import pickles, safetensors
from tests.proofs.scenarios import checkpoint

ROOT = Path(__file__).parents[2]
LIMIT = 192 << 20  # bytes; Python, numpy and their threads take most of it
ONE_THREAD = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # more take memory by the processor
HEADERS = [
    safetensors.CASES["header-length"],
    safetensors.CASES["header-101-mb"],
    safetensors.CASES["huge-shape"],
    pickles.CASES["endless-text"],
    pickles.CASES["beyond-storage"],
]


def zoo(*words: object) -> subprocess.CompletedProcess[str]:
    """``zoo WORDS`` with less memory of its own than LIMIT."""
    return subprocess.run(
        [sys.executable, "-m", "zoo", *map(str, words)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT)),
        env=ONE_THREAD,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )


def test_the_limit_is_one() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", f"bytearray({LIMIT})"],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT)),
        capture_output=True,
    )
    assert b"MemoryError" in ran.stderr


def test_a_checkpoint_larger_than_memory(tmp_path: Path) -> None:
    source = checkpoint(tmp_path / "in", seed=1, vocabulary=2 * LIMIT // 128)
    ran = zoo("convert", source, "--out", tmp_path / "out")
    rows.MEMORY.check(ran.returncode, ran.stderr)


@pytest.mark.parametrize("case", HEADERS, ids=lambda case: case.input)
def test_what_a_header_claims_is_not_allocated(tmp_path: Path, case: Case) -> None:
    case.make(tmp_path)
    ran = zoo(*case.words(tmp_path))
    case.check(ran.returncode, ran.stderr)
