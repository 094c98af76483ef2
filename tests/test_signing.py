"""Signatures hold for the key and the bytes they were made for, and for nothing else."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.bad_inputs.cases.converted import converted
from zoo import signing
from zoo.errors import FormatError, NotFoundError, SignatureInvalidError
from zoo.talk import Silence
from zoo.verify.rungs.files import check_files

PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
OPEN = serialization.NoEncryption()
PUBLIC = serialization.PublicFormat.SubjectPublicKeyInfo


def write_pair(folder: Path, name: str, key: ec.EllipticCurvePrivateKey) -> Path:
    """A private key; its public one lies beside it, as NAME.pub."""
    (folder / name).write_bytes(key.private_bytes(PEM, PKCS8, OPEN))
    (folder / f"{name}.pub").write_bytes(key.public_key().public_bytes(PEM, PUBLIC))
    return folder / name


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return write_pair(tmp_path, "key", ec.generate_private_key(ec.SECP256R1()))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return converted(tmp_path)


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def test_what_was_signed_holds(model: Path, key: Path) -> None:
    assert signing.sign(model, key) == model / "model.sig"
    signing.check_signature(model, public(key))
    assert check_files(model, Silence()).status == "pass"


def test_it_holds_elsewhere_and_after_verifying(model: Path, key: Path, tmp_path: Path) -> None:
    signing.sign(model, key)
    moved = model.rename(tmp_path / "moved")
    (moved / "evidence.json").write_text("{}")
    signing.check_signature(moved, public(key))


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_other_curves(model: Path, tmp_path: Path, curve: ec.EllipticCurve) -> None:
    key = write_pair(tmp_path, "other", ec.generate_private_key(curve))
    signing.sign(model, key)
    signing.check_signature(model, public(key))


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda model: _flip(model / "model.safetensors"), "model.safetensors"),
        (lambda model: _flip(model / "config.json"), "config.json"),
        (lambda model: _flip(model / "provenance.json"), "provenance.json"),
        (lambda model: (model / "config.json").unlink(), "removed"),
        (lambda model: (model / "extra").touch(), "added"),
        (lambda model: (model / ".gitattributes").touch(), "added"),
    ],
)
def test_a_change_is_found(
    model: Path, key: Path, harm: Callable[[Path], object], said: str
) -> None:
    signing.sign(model, key)
    harm(model)
    with pytest.raises(SignatureInvalidError, match=said) as caught:
        signing.check_signature(model, public(key))
    assert "Digest(" not in str(caught.value)


def test_a_link_in_place_of_a_file_is_refused(model: Path, key: Path, tmp_path: Path) -> None:
    signing.sign(model, key)
    (model / "config.json").rename(tmp_path / "elsewhere")
    (model / "config.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SignatureInvalidError):
        signing.check_signature(model, public(key))


def test_any_flipped_bit_of_the_signature_is_found(model: Path, key: Path) -> None:
    signature = signing.sign(model, key)
    whole = signature.read_bytes()
    for place in random.Random(0).sample(range(len(whole)), 60):
        for bit in (1, 64):
            damaged = bytearray(whole)
            damaged[place] ^= bit
            signature.write_bytes(damaged)
            try:
                signing.check_signature(model, public(key))
            except SignatureInvalidError:
                continue
            assert _same(whole, damaged), place


def _same(whole: bytes, damaged: bytes) -> bool:
    """Whether the bits that matter are the same: base64 leaves some unused at its end."""
    try:
        return _decoded(json.loads(whole)) == _decoded(json.loads(damaged))
    except ValueError:
        return False


def _decoded(document: Any) -> Any:
    envelope = document["dsseEnvelope"]
    return (
        base64.b64decode(envelope["payload"]),
        [base64.b64decode(signature["sig"]) for signature in envelope["signatures"]],
    )


def test_another_key_does_not_vouch(model: Path, key: Path, tmp_path: Path) -> None:
    signing.sign(model, key)
    other = write_pair(tmp_path, "other", ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(SignatureInvalidError, match="Key mismatch"):
        signing.check_signature(model, public(other))


def test_a_signature_of_another_model_does_not_hold(model: Path, key: Path, tmp_path: Path) -> None:
    other = converted(tmp_path, "other")
    _flip(other / "model.safetensors")
    signature = signing.sign(other, key)
    signature.rename(model / signature.name)
    with pytest.raises(SignatureInvalidError, match=r"model\.safetensors"):
        signing.check_signature(model, public(key))


def test_what_is_no_key(model: Path, key: Path, tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("no key")
    edwards = tmp_path / "edwards"
    edwards.write_bytes(ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, OPEN))
    sealed = tmp_path / "sealed"
    secret = serialization.BestAvailableEncryption(b"secret")
    private = ec.generate_private_key(ec.SECP256R1())
    sealed.write_bytes(private.private_bytes(PEM, PKCS8, secret))
    koblitz = write_pair(tmp_path, "koblitz", ec.generate_private_key(ec.SECP256K1()))
    for wrong in (text, edwards, sealed, koblitz, public(key)):
        with pytest.raises(FormatError, match="no private key"):
            signing.sign(model, wrong)
    assert not (model / "model.sig").exists()
    signing.sign(model, key)
    for wrong in (text, key, public(koblitz)):
        with pytest.raises(FormatError, match="no public key"):
            signing.check_signature(model, wrong)


def test_what_is_not_there(model: Path, key: Path) -> None:
    with pytest.raises(NotFoundError, match="is not signed"):
        signing.check_signature(model, public(key))
    for work in (signing.sign, signing.check_signature):
        with pytest.raises(NotFoundError, match="no such key"):
            work(model, key.with_name("nothing"))
