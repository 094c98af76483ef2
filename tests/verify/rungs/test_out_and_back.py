"""Rung 3 of a checkpoint that was trained: it goes out in the reference's form and comes back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from train.folder import write_model
from zoo.convert import provenance
from zoo.convert.native import open_native
from zoo.convert.ops import Chain, Concat, Copy, Op, Split, Transpose
from zoo.errors import UsageError
from zoo.spec import Activation, CLIPSpec, native
from zoo.talk import Silence
from zoo.verify.bench import Bench
from zoo.verify.ladder import climb
from zoo.verify.locate import ADVICE, locate_source
from zoo.verify.outcome import Outcome

PACKED = "visual.transformer.resblocks.1.attn.k_proj.weight"


def write(folder: Path, converted: Path, **changes: Any) -> Path:
    """The bundled checkpoint as training would have left it."""
    spec: CLIPSpec = replace(native.read(converted / "config.json"), **changes)
    with open_native(converted) as stored:
        weights = {name: np.array(stored.tensor(name)) for name in stored.tensors}
    write_model(folder, spec, weights, "tiny-trained", ["train"])
    return folder


@pytest.fixture
def trained(converted_once: Path, tmp_path: Path) -> Path:
    return write(tmp_path / "trained", converted_once)


def check(folder: Path, work: Path) -> Outcome:
    record = provenance.read(folder)
    source = locate_source(folder, record, None)
    bench = Bench(folder, record=record, source=source, manifest=None, work=work, talk=Silence())
    outcome = climb(bench, "roundtrip")["roundtrip"]
    bench.close()
    return outcome


def test_it_comes_back(trained: Path, tmp_path: Path) -> None:
    outcome = check(trained, tmp_path)
    assert outcome.status == "pass"
    assert outcome.figures == outcome.bounds | {"form": "open_clip"}
    assert outcome.figures["tensors"] == 94 and outcome.figures["different"] == 0


def test_the_evidence_says_what_it_was_measured_on(trained: Path, tmp_path: Path) -> None:
    outcome = check(trained, tmp_path)
    assert "no source file" in str(outcome.reason)
    assert outcome.measured_on is not None
    assert outcome.measured_on.name == "the checkpoint itself"
    assert (outcome.measured_on.items, outcome.measured_on.whole) == (94, True)


def test_what_open_clip_has_no_form_for_goes_out_as_transformers_has_it(
    converted_once: Path, tmp_path: Path
) -> None:
    spec = native.read(converted_once / "config.json")
    assert spec.text is not None
    other: Activation = "gelu" if spec.text.activation == "quick_gelu" else "quick_gelu"
    text = replace(spec.text, activation=other)
    outcome = check(write(tmp_path / "mixed", converted_once, text=text), tmp_path)
    assert (outcome.status, outcome.figures["form"]) == ("pass", "hf")


def _back(chain: Chain) -> Iterator[Op]:
    return (op.inverse() for op in chain.ops)


WRONG: dict[str, tuple[type, str, Callable[..., Any]]] = {
    "parts joined in another order": (Concat, "apply", lambda _, a: [np.concatenate(a[::-1])]),
    "parts split in another order": (Split, "apply", lambda s, a: np.split(a[0], s.parts)[::-1]),
    "a matrix that is not turned back": (Transpose, "inverse", lambda _: Copy()),
    "a chain in the same order": (Chain, "inverse", lambda s: Chain(tuple(_back(s)))),
    "values that change": (Transpose, "apply", lambda _, a: [(x * np.float32(1.001)).T for x in a]),
    "a type that changes": (Copy, "apply", lambda _, a: [x.astype(np.float16) for x in a]),
}


@pytest.mark.parametrize("mistake", WRONG)
def test_a_wrong_operation_is_caught(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    kind, method, wrong = WRONG[mistake]
    monkeypatch.setattr(kind, method, wrong)
    outcome = check(trained, tmp_path)
    assert outcome.status == "fail", outcome
    assert outcome.reason


def test_a_tensor_that_does_not_come_back_is_named(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Split, "apply", lambda s, a: np.split(a[0], s.parts)[::-1])
    outcome = check(trained, tmp_path)
    assert "visual.transformer.resblocks.0.attn.q_proj.weight" in str(outcome.reason)
    assert outcome.figures["different"] == 2 * 2 * 5  # weight and bias of q and v, in 5 blocks


def test_a_row_that_is_lost_is_caught(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.convert.tables import rows_for
    from zoo.verify.rungs import out_and_back

    monkeypatch.setattr(out_and_back, "rows_for", lambda *a: rows_for(*a)[:-1])
    outcome = check(trained, tmp_path)
    assert outcome.status == "fail" and "logit_scale" in str(outcome.reason)


def test_a_source_that_is_merely_absent_is_no_reason_for_it(
    converted_once: Path, tiny: Path, tmp_path: Path
) -> None:
    """Going out and coming back would pass here: it proves less, and must not stand in."""
    record = provenance.read(converted_once)
    bench = Bench(
        converted_once, record=record, source=ADVICE, manifest=None, work=tmp_path, talk=Silence()
    )
    outcome = climb(bench, "roundtrip")["roundtrip"]
    bench.close()
    assert (outcome.status, outcome.reason) == ("not run", ADVICE)


@pytest.mark.parametrize("claimed", ["train", "open_clip"])
def test_both_a_source_and_training_is_no_training(
    trained: Path, converted_once: Path, tmp_path: Path, claimed: str
) -> None:
    """A provenance that names source files, or a format, had a source."""
    record = provenance.read(trained)
    files = provenance.read(converted_once).source.files if claimed == "train" else []
    source = msgspec.structs.replace(record.source, format=claimed, files=files)
    content = {
        name: getattr(record, name)
        for name in record.__struct_fields__
        if name not in ("schema_version", "tensors_digest", "digest")
    }
    sealed = provenance.seal(**(content | {"source": source}))
    (trained / "provenance.json").write_bytes(provenance.encode(sealed))
    assert check(trained, tmp_path).status == "not run"


def test_a_source_for_what_was_trained_is_refused(trained: Path, tiny: Path) -> None:
    with pytest.raises(UsageError, match="was trained"):
        locate_source(trained, provenance.read(trained), f"local-dir:{tiny}")


def test_the_ladder_goes_on_from_there(run_zoo: Callable[..., Any], trained: Path) -> None:
    ran = run_zoo("verify", trained, "--upto", "roundtrip", "--json")
    (result,) = json.loads(ran.stdout)["results"]
    assert ran.code == 0
    assert result["status"] == "converted"
    assert result["evidence"]["rungs"][2]["measured_on"]["name"] == "the checkpoint itself"


def test_one_changed_value_is_rung_1_s(run_zoo: Callable[..., Any], trained: Path) -> None:
    """What is stored always comes back; that it is what was trained is the digests' to say."""
    weights = trained / "model.safetensors"
    tensors = {name: np.array(value) for name, value in load_file(weights).items()}
    tensors[PACKED][3, 5] += np.float32(1)
    save_file(tensors, weights, {"format": "np"})
    assert run_zoo("verify", trained, "--upto", "roundtrip").code == 5
