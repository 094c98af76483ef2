"""Rung 3: the source comes back bit for bit, or the tensor that does not is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from zoo.convert import provenance
from zoo.convert.native import open_native
from zoo.convert.run import Options, convert
from zoo.convert.select import open_source
from zoo.convert.source import find_source
from zoo.spec import native
from zoo.talk import Silence
from zoo.verify.bench import Bench
from zoo.verify.rungs.roundtrip import check_roundtrip


@pytest.mark.parametrize("dtype", ["keep", "float16", "bfloat16"])
@pytest.mark.parametrize("shard", [None, 1 << 20])
def test_the_source_comes_back(tiny: Path, tmp_path: Path, dtype: str, shard: int | None) -> None:
    options = Options(dtype=dtype, max_shard_size=shard, command=("zoo",))
    out = convert(find_source("tiny-digits"), tiny, tmp_path / "out", options, Silence())
    source, spec = open_source(tiny), native.read(out / "config.json")
    with open_native(out) as stored, source.checkpoint:
        outcome = check_roundtrip(stored, spec, provenance.read(out), source, None, Silence())
    assert outcome.status == "pass"
    assert outcome.figures["tensors"] == outcome.bounds["tensors"] == 74


def test_one_changed_value_is_named(converted: Path, make_bench: Callable[[Path], Bench]) -> None:
    weights = converted / "model.safetensors"
    tensors = {name: np.array(value) for name, value in load_file(weights).items()}
    tensors["visual.transformer.resblocks.1.attn.k_proj.weight"][3, 5] *= np.float32(1 + 2e-7)
    save_file(tensors, weights, {"format": "np"})
    outcome = make_bench(converted).roundtrip()
    assert outcome.status == "fail" and outcome.figures["different"] == 1
    assert "visual.transformer.resblocks.1.attn.in_proj_weight" in str(outcome.reason)


def test_a_source_of_other_bytes_is_refused(
    converted: Path, tiny: Path, tmp_path: Path, make_bench: Callable[[Path], Bench]
) -> None:
    other = shutil.copytree(tiny, tmp_path / "other")
    config = other / "open_clip_config.json"
    config.write_text(config.read_text() + "\n")
    bench = make_bench(converted)
    source = open_source(other)
    with source.checkpoint:
        outcome = check_roundtrip(
            bench.checkpoint, bench.spec, bench.record, source, None, Silence()
        )
    assert outcome.status == "fail" and "not the one" in str(outcome.reason)


def test_a_configuration_that_is_not_the_sources_fails(
    converted: Path, tiny: Path, make_bench: Callable[[Path], Bench]
) -> None:
    """Tensors come back bit for bit whatever the activation is said to be; and the reference would
    be asked to compute what the checkpoint's own configuration says."""
    bench = make_bench(converted)
    assert bench.spec.vision is not None
    gelu = replace(bench.spec, vision=replace(bench.spec.vision, activation="gelu"))
    source = open_source(tiny)
    with source.checkpoint:
        outcome = check_roundtrip(bench.checkpoint, gelu, bench.record, source, None, Silence())
    assert outcome.status == "fail"
    assert "vision.activation is gelu, and open_clip_config.json says quick_gelu" in str(
        outcome.reason
    )


def test_the_casts_losses_are_told(tiny: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny, tmp_path / "source", ignore=shutil.ignore_patterns("goldens"))
    weights = folder / "open_clip_model.safetensors"
    tensors = {name: np.array(value) for name, value in load_file(weights).items()}
    tensors["visual.proj"][0, :3] = (1e-9, -1e-9, 1e6)  # two too small for float16, one too large
    save_file(tensors, weights, {"format": "pt"})
    options = Options(dtype="float16", command=("zoo",))
    out = convert(find_source(f"local-dir:{folder}"), folder, tmp_path / "out", options, Silence())
    record = provenance.read(out).tensors["visual.proj"]
    assert (record.vanished, record.overflowed, record.nonfinite) == (2, 1, 0)
