"""Rung 2: what is stored is what the specification, the provenance and the manifest say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import msgspec

from zoo.manifest import registry
from zoo.verify.bench import Bench
from zoo.verify.rungs.structure import check_structure


def test_the_bundled_checkpoint_passes(
    converted: Path, make_bench: Callable[[Path], Bench]
) -> None:
    outcome = make_bench(converted).structure()
    assert outcome.status == "pass"
    assert outcome.figures == outcome.bounds == {"tensors": 94, "params": 1_808_313}


def test_another_specification_fails(converted: Path, make_bench: Callable[[Path], Bench]) -> None:
    bench = make_bench(converted)
    assert bench.spec.vision is not None
    fewer = replace(bench.spec, vision=replace(bench.spec.vision, layers=2))
    wider = replace(bench.spec, vision=replace(bench.spec.vision, mlp_width=209))
    for spec, word in ((fewer, "is not expected"), (wider, "not [80, 209]")):
        outcome = check_structure(bench.checkpoint, spec, bench.record, None)
        assert outcome.status == "fail" and word in str(outcome.reason)


def test_another_type_than_recorded_fails(
    converted: Path, make_bench: Callable[[Path], Bench]
) -> None:
    bench = make_bench(converted)
    name = "logit_scale"
    half = msgspec.structs.replace(bench.record.tensors[name], dtype="float16")
    record = msgspec.structs.replace(bench.record, tensors={**bench.record.tensors, name: half})
    outcome = check_structure(bench.checkpoint, bench.spec, record, None)
    assert outcome.status == "fail" and "of type float32, not float16" in str(outcome.reason)


def test_another_count_than_the_manifests_fails(
    converted: Path, make_bench: Callable[[Path], Bench]
) -> None:
    bench = make_bench(converted)
    manifest = registry().find("CLIP-ViT-B-32-laion2B-s34B-b79K")
    outcome = check_structure(bench.checkpoint, bench.spec, bench.record, manifest)
    assert outcome.status == "fail" and "151,277,313" in str(outcome.reason)


def test_a_source_that_the_manifest_pins_otherwise_fails(
    converted: Path, make_bench: Callable[[Path], Bench]
) -> None:
    """Files of one's own under the name of a model of the zoo are not that model."""
    bench = make_bench(converted)
    manifest = registry().find("CLIP-ViT-B-32-laion2B-s34B-b79K")
    weights = bench.record.source.files[-1]
    for sha256, word in ((weights.sha256, None), ("0" * 64, f"{weights.name} of its source")):
        source = msgspec.structs.replace(manifest.source, sha256={weights.name: sha256})
        params = msgspec.structs.replace(manifest.params, total=1_808_313)
        pinned = msgspec.structs.replace(manifest, source=source, params=params)
        outcome = check_structure(bench.checkpoint, bench.spec, bench.record, pinned)
        assert outcome.status == ("pass" if word is None else "fail")
        assert word is None or word in str(outcome.reason)


def test_a_tensor_that_the_provenance_does_not_know_fails(
    converted: Path, make_bench: Callable[[Path], Bench]
) -> None:
    bench = make_bench(converted)
    known = {name: t for name, t in bench.record.tensors.items() if name != "logit_scale"}
    record = msgspec.structs.replace(bench.record, tensors=known)
    outcome = check_structure(bench.checkpoint, bench.spec, record, None)
    assert outcome.status == "fail"
    assert "the provenance does not know logit_scale" in str(outcome.reason)
