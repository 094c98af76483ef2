"""``zoo sign`` and ``zoo check-signature``: what they print, and how they end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.cases.converted import converted


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """The pair that the help of ``zoo sign`` makes."""
    private, public = tmp_path / "key.pem", tmp_path / "key.pub.pem"
    make = ("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(private))
    for words in (make, ("ec", "-in", str(private), "-pubout", "-out", str(public))):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    return private, public


def test_a_checkpoint_is_signed_and_checked(run_zoo, tmp_path: Path, keys) -> None:  # type: ignore[no-untyped-def]
    model = converted(tmp_path)
    ran = run_zoo("sign", model, "--key", keys[0])
    assert (ran.code, ran.stdout) == (0, f"{model / 'model.sig'}\n")
    ran = run_zoo("check-signature", model, "--key", keys[1], "--json")
    record = json.loads((model / "provenance.json").read_text())
    assert json.loads(ran.stdout) == {
        "schema_version": 1,
        "id": record["id"],
        "tensors_digest": record["tensors_digest"],
    }
    (model / "config.json").write_text("{}")
    ran = run_zoo("check-signature", model, "--key", keys[1])
    assert ran.code == 5 and ran.stderr.startswith("zoo: SIGNATURE: the signature does not hold")


def test_what_is_damaged_is_not_signed(run_zoo, tmp_path: Path, keys) -> None:  # type: ignore[no-untyped-def]
    model = converted(tmp_path)
    (model / "config.json").write_text("{}")
    ran = run_zoo("sign", model, "--key", keys[0])
    assert ran.code == 5 and "not signed: config.json" in ran.stderr
    assert not (model / "model.sig").exists()


@pytest.mark.parametrize("command", ["sign", "check-signature"])
def test_without_the_library(run_zoo, tmp_path: Path, keys, monkeypatch, command: str) -> None:  # type: ignore[no-untyped-def]
    model = converted(tmp_path)
    monkeypatch.setitem(sys.modules, "model_signing", None)
    ran = run_zoo(command, model, "--key", keys[0])
    rows.NO_SIGNING.check(ran.code, ran.stderr)
