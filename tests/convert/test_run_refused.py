"""What stops a conversion: nothing is left of it, and nothing lost."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tests.convert.converting import Listener, converted
from tests.folders import contents, names
from zoo.convert import provenance
from zoo.errors import DigestError, DiskError, NonfiniteError, PathError

Small = Any  # tests/conftest.py's


@pytest.mark.parametrize("out", ["in", "."])
def test_the_source_is_not_replaced(small: Small, tmp_path: Path, out: str) -> None:
    source = small.save(tmp_path / "home" / "in")
    before = contents(source)
    with pytest.raises(PathError, match="the place of the source"):
        converted(source, tmp_path / "home" / out, force=True)
    assert contents(source) == before
    inside = converted(source, source / "paddle")
    assert "model.safetensors" in contents(inside)


BROKEN: dict[str, Any] = {
    "nan": ({"visual.proj": np.full((80, 48), np.nan, np.float32)}, NonfiniteError, "3840 values"),
    "infinite": ({"logit_scale": np.array(np.inf, np.float32)}, NonfiniteError, "1 values"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_weights_that_are_no_numbers_are_refused_unless_allowed(
    small: Small, tmp_path: Path, case: str
) -> None:
    tensors, kind, said = BROKEN[case]
    source = small.save(tmp_path / "in", tensors=tensors)
    (name,) = tensors
    with pytest.raises(kind, match=said) as caught:
        converted(source, tmp_path / "out")
    assert caught.value.where == name
    assert names(tmp_path) == ["in"]
    record = provenance.read(converted(source, tmp_path / "out", allow_nonfinite=True))
    assert record.tensors[name].nonfinite == tensors[name].size


def test_a_source_that_changes_meanwhile_is_found(small: Small, tmp_path: Path) -> None:
    source = small.save(tmp_path / "in")
    weights = source / "open_clip_model.safetensors"
    with pytest.raises(DigestError, match="changed while it was being read"):
        converted(source, tmp_path / "out", Listener(lambda: os.utime(weights, ns=(0, 0))))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("call", ["posix_fallocate", "pwrite"])
def test_a_full_disk_leaves_what_was_there(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    source = small.save(tmp_path / "in")
    before = contents(converted(source, tmp_path / "out"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    with pytest.raises(DiskError, match="full"):
        converted(source, tmp_path / "out", force=True, dtype="float16")
    assert contents(tmp_path / "out") == before
    with pytest.raises(DiskError, match="full"):
        converted(source, tmp_path / "other")
    assert names(tmp_path) == ["in", "out"]


def test_space_is_looked_at_before_the_first_byte(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = small.save(tmp_path / "in")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    with pytest.raises(DiskError, match="kB are needed and 10 B are free"):
        converted(source, tmp_path / "out")
    assert names(tmp_path) == ["in"]
