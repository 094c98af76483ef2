"""Converted checkpoints that something has happened to since."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import Canary, Make, good, tensors
from zoo.cli import main
from zoo.convert.run import Options, convert
from zoo.convert.source import find_source
from zoo.signing import sign
from zoo.talk import Silence

TITLE = "Converted checkpoints"
WEIGHTS = "model.safetensors"
PEM = serialization.Encoding.PEM
VERIFY = ("verify", "{at}/model", "--upto", "files")


def converted(at: Path, name: str = "model") -> Path:
    """A good converted checkpoint."""
    source = good(at / f"{name}-source")
    options = Options(command=("zoo", "convert"))
    return convert(find_source(str(source)), source, at / name, options, Silence())


def _changed(change: Callable[[Path], object]) -> Make:
    return lambda at: change(converted(at))


def _flip(name: str, place: int) -> Make:
    """One bit of a file; ``place`` as an index has it."""

    def change(folder: Path) -> None:
        content = bytearray((folder / name).read_bytes())
        content[place] ^= 1
        (folder / name).write_bytes(content)

    return _changed(change)


def _edit_provenance(folder: Path) -> None:
    path = folder / "provenance.json"
    document = json.loads(path.read_text())
    document["source"]["repo"] = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    path.write_text(json.dumps(document))


def _cut(folder: Path) -> None:
    content = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(content[:-1])


def _program(folder: Path) -> None:
    (folder / "model_state.pdparams").write_bytes(pickle.dumps(Canary(folder / "canary"), 2))


def _other_weights(at: Path) -> None:
    """The provenance, which is whole, of one checkpoint beside the weights of another."""
    folder = converted(at)
    content = bytearray((folder / WEIGHTS).read_bytes())
    content[-4:] = b"\0\0\x80\x3f"
    (folder / WEIGHTS).write_bytes(content)


def _another(at: Path) -> Path:
    """A good converted checkpoint of other weights."""
    weights = tensors()
    weights["visual.proj"] = -weights["visual.proj"]
    source = good(at / "other-source", weights=weights)
    options = Options(command=("zoo", "convert"))
    return convert(find_source(str(source)), source, at / "other", options, Silence())


def _replayed_evidence(at: Path) -> None:
    other = _another(at)
    assert main(["verify", str(other), "--upto", "files", "--quiet"]) == 0
    shutil.copy(other / "evidence.json", converted(at))


def _evidence_of_another_configuration(at: Path) -> None:
    """gelu and quick_gelu are not seen in tensors; what one has earned is not the other's."""
    folder, other = converted(at), at / "other"
    config = at / "model-source" / "open_clip_config.json"
    document = json.loads(config.read_text())
    document["model_cfg"]["quick_gelu"] = not document["model_cfg"].get("quick_gelu", False)
    config.write_text(json.dumps(document))
    options = Options(command=("zoo", "convert"))
    convert(find_source(str(config.parent)), config.parent, other, options, Silence())
    assert main(["verify", str(other), "--upto", "files", "--quiet"]) == 0
    shutil.copy(other / "evidence.json", folder)


def _replayed_signature(at: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (at / "key").write_bytes(private)
    (at / "key.pub").write_bytes(public)
    shutil.copy(sign(_another(at), at / "key"), converted(at))


def _damaged(input: str, make: Make, *says: str) -> Case:
    """Rung 1 says what is wrong, and the evidence of that is kept."""
    return Case(
        input=input,
        make=make,
        command=VERIFY,
        code=5,
        name="DIGEST",
        says=says,
        leaves="model/evidence.json",
    )


def _deep(depth: int) -> str:
    return '{"environment": {"a": ' + "[" * depth + "]" * depth + "}}"


NOT_WRITTEN = "is not the one that was written"

CASES = {
    "flip-weights": _damaged(
        "one bit flipped in the weights", _flip(WEIGHTS, -1), f"{WEIGHTS} {NOT_WRITTEN}"
    ),
    "flip-header": _damaged(
        "one bit flipped in the weights' header", _flip(WEIGHTS, 100), f"{WEIGHTS} {NOT_WRITTEN}"
    ),
    "flip-config": _damaged(
        "one bit flipped in the configuration",
        _flip("config.json", -2),
        f"config.json {NOT_WRITTEN}",
    ),
    "flip-provenance": _damaged(
        "one bit flipped in the provenance", _flip("provenance.json", 300), "provenance.json"
    ),
    "edit-provenance": _damaged(
        "a provenance that someone has edited", _changed(_edit_provenance), "provenance.json"
    ),
    "cut": _damaged("weights cut short by 1 byte", _changed(_cut), WEIGHTS, "were written"),
    "replaced": _damaged(
        "weights of another run under a good provenance",
        _other_weights,
        f"{WEIGHTS} {NOT_WRITTEN}",
    ),
    "lost": _damaged(
        "a file is missing",
        _changed(lambda folder: (folder / WEIGHTS).unlink()),
        f"{WEIGHTS} is missing",
    ),
    "stranger": _damaged(
        "a file that nobody wrote, such as a malicious `.pdparams`",
        _changed(_program),
        "model_state.pdparams does not belong here",
    ),
    "evidence": _damaged(
        "evidence that no run wrote",
        _changed(lambda folder: (folder / "evidence.json").write_text("{}")),
        "evidence.json",
    ),
    "another-model": Case(
        input="weights of another model of the same shapes, held against their supposed source",
        make=lambda at: (_another(at), converted(at)),
        command=("verify", "{at}/model", "--source", "{at}/other-source", "--upto", "roundtrip"),
        code=3,
        name="CHECK",
        says=("rung roundtrip failed", "not the one"),
        leaves="model/evidence.json",
    ),
    "replayed-evidence": _damaged(
        "evidence of another model, or of older weights",
        _replayed_evidence,
        "evidence.json is about other tensors",
    ),
    "other-configuration": _damaged(
        "evidence of the same tensors under another configuration",
        _evidence_of_another_configuration,
        "evidence.json is about these tensors under another configuration",
    ),
    "replayed-signature": Case(
        input="a signature of another model, or of older weights",
        make=_replayed_signature,
        command=("check-signature", "{at}/model", "--key", "{at}/key.pub"),
        code=5,
        name="SIGNATURE",
        says=("the signature does not hold", WEIGHTS),
    ),
    "deep-evidence": _damaged(
        "evidence nested 100,000 deep",
        _changed(lambda folder: (folder / "evidence.json").write_text(_deep(100_000))),
        "not evidence",
    ),
    "endless-provenance": _damaged(
        "a provenance of 8 GB",
        _changed(lambda folder: os.truncate(folder / "provenance.json", 8 << 30)),
        "provenance.json is too large",
    ),
    "no-provenance": Case(
        input="no provenance",
        make=_changed(lambda folder: (folder / "provenance.json").unlink()),
        command=VERIFY,
        code=6,
        name="NOTFOUND",
        says=("no provenance.json", "not written by zoo"),
    ),
    "convert-again": Case(
        input="a converted checkpoint given to `zoo convert`",
        make=converted,
        command=("convert", "{at}/model", "--out", "{at}/out", "--force"),
        code=2,
        name="USAGE",
        says=("a converted checkpoint already",),
    ),
    "export-damaged": Case(
        input="a damaged checkpoint given to `zoo export`",
        make=_flip(WEIGHTS, -1),
        command=("export", "{at}/model", "--to", "open_clip", "--out", "{at}/out", "--force"),
        code=5,
        name="DIGEST",
        says=(f"{WEIGHTS} {NOT_WRITTEN}", "Convert the model again"),
    ),
}
