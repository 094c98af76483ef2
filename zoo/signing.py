"""Signatures of a converted checkpoint: who vouches for these bytes.

Through the model-signing library with an elliptic-curve key: no network and no certificate. Signed
are all files of the folder but the signature itself and the evidence, which every run of
``zoo verify`` writes anew and which is bound to the tensors by their digest.
"""

from __future__ import annotations

import re
import sys
from contextlib import redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from zoo.errors import FormatError, NotFoundError, SignatureInvalidError, missing_library
from zoo.files import leftovers, missing, write_atomic
from zoo.verify.evidence import EVIDENCE_NAME

if TYPE_CHECKING:
    from model_signing import hashing

SIGNATURE_NAME = "model.sig"  # the library's own


def sign(folder: Path, key: Path) -> Path:
    """Signs a checkpoint.

    Args:
        folder: the checkpoint.
        key: a private key in PEM: secp256r1, secp384r1 or secp521r1, without a password.

    Returns:
        The signature's path, in the folder.

    Raises:
        NotFoundError: the library or the key is not there.
        FormatError: the key is none of these.
        DiskError, AccessError: as the system says.
    """
    hashed = _what_is_signed()
    from model_signing import signing

    _check_there(key)
    config = signing.Config().set_hashing_config(hashed)
    try:
        config.use_elliptic_key_signer(private_key=key)
    except (ValueError, TypeError, AttributeError) as error:
        raise _no_key(key, "private") from error
    with TemporaryDirectory(prefix="zoo-sign-") as name:
        made = Path(name) / SIGNATURE_NAME
        config.sign(folder, made)
        write_atomic(folder / SIGNATURE_NAME, made.read_bytes())
    return folder / SIGNATURE_NAME


def check_signature(folder: Path, key: Path) -> None:
    """Checks that the holder of a key has signed a checkpoint, and that it is still the same.

    Args:
        folder: the checkpoint.
        key: the public key in PEM.

    Raises:
        NotFoundError: the library, the key or the signature is not there.
        FormatError: the key is none.
        SignatureInvalidError: another key made the signature, it is damaged, or a file was changed,
            added or removed.
    """
    hashed = _what_is_signed()
    from model_signing import verifying

    _check_there(key)
    signature = folder / SIGNATURE_NAME
    if not signature.is_file():
        raise NotFoundError("this checkpoint is not signed", where=folder)
    config = verifying.Config().set_hashing_config(hashed)
    try:
        config.use_elliptic_key_verifier(public_key=key)
    except (ValueError, TypeError, AttributeError) as error:
        raise _no_key(key, "public") from error
    try:
        with redirect_stdout(sys.stderr):  # where the library warns on stdout
            config.verify(folder, signature)
    except OSError:
        raise
    except Exception as error:  # of many kinds; whatever it is, nothing is vouched for
        raise SignatureInvalidError(
            f"the signature does not hold: {_reason(str(error))}", where=signature
        ) from error


def _reason(said: str) -> str:
    """The library's words, without the digests."""
    if not said.startswith("Signature mismatch"):
        return said or "another key made it"
    changed = re.findall(r"Hash mismatch for \\?'(.+?)\\?':", said)
    more = f": {', '.join(changed)}" if changed else ""
    return f"a file was changed, added or removed since it was made{more}"


def _what_is_signed() -> hashing.Config:
    try:
        from model_signing import hashing
    except ImportError:
        raise missing_library("model-signing", "sign", "signing") from None

    left_out = {SIGNATURE_NAME, EVIDENCE_NAME}
    left_out |= {name for written in left_out for name in leftovers(written)}
    config = hashing.Config().use_file_serialization(
        hashing_algorithm="sha256", allow_symlinks=False
    )
    return config.set_ignored_paths(paths=left_out, ignore_git_paths=False)


def _check_there(key: Path) -> None:
    if not key.is_file():
        raise missing(key, "key")


def _no_key(path: Path, kind: str) -> FormatError:
    return FormatError(
        f"this is no {kind} key that can be used: an elliptic-curve key in PEM, without a password",
        where=path,
        remedy="Make a pair with:\n"
        "  openssl ecparam -name prime256v1 -genkey -noout -out key.pem\n"
        "  openssl ec -in key.pem -pubout -out key.pub.pem",
    )
