from __future__ import annotations

import hashlib
from pathlib import Path

from zoo.hub.listing import git_blob_id, matches

HELLO = "ce013625030ba8dba906f756967f9e9ca394464a"  # echo hello | git hash-object --stdin


def test_gits_name_of_a_content() -> None:
    assert git_blob_id(b"hello\n") == HELLO


def test_a_content_is_named_by_either_digest_or_by_none(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"hello\n")
    sha256 = hashlib.sha256(b"hello\n").hexdigest()
    assert matches(path, sha256, sha256)
    assert matches(path, sha256, HELLO)
    assert matches(path, sha256, None)
    assert not matches(path, sha256, "0" * 64)
    assert not matches(path, sha256, "0" * 40)
