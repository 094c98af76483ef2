"""Where a conversion goes in the cache, and what is taken for it."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.convert.converting import Listener, converted
from tests.folders import names
from zoo.convert import run
from zoo.errors import ConfigError
from zoo.spec import native, open_clip

Small = Any  # tests/conftest.py's


def test_the_cache_has_one_place_for_the_same_bytes_and_type(
    small: Small, tmp_path: Path, zoo_home: Path
) -> None:
    source = small.save(tmp_path / "in")
    listener = Listener()
    folder = converted(source, None, listener)
    assert folder.parent == zoo_home / "models" / "in"
    assert folder.name.endswith("-float32")
    stamp = (folder / "provenance.json").stat().st_mtime_ns
    assert converted(source, None, listener) == folder
    assert converted(source, None, listener, dtype="float32") == folder
    assert listener.said.count("in: converted already") == 2
    assert (folder / "provenance.json").stat().st_mtime_ns == stamp
    assert converted(source, None, listener, force=True) == folder
    assert (folder / "provenance.json").stat().st_mtime_ns > stamp
    others = {
        converted(source, None, dtype="float16"),
        converted(small.save(source, config={"model_cfg.quick_gelu": False}), None),
        converted(small.save(source, tensors={"logit_scale": np.array(3.0, np.float32)}), None),
    }
    assert len(others | {folder}) == 4
    assert names(folder.parent) == sorted(path.name for path in others | {folder})


def test_one_conversion_is_not_taken_for_another_of_the_same_file(
    small: Small, tmp_path: Path
) -> None:
    source = small.save(tmp_path / "in")
    spec = open_clip.read(source / open_clip.CONFIG_NAME)
    assert spec.vision and spec.text
    gelu = replace(
        spec,
        vision=replace(spec.vision, activation="gelu"),
        text=replace(spec.text, activation="gelu"),
    )
    (source / open_clip.CONFIG_NAME).unlink()
    folder = converted(source, None, arch=spec)
    with pytest.raises(ConfigError, match="by another configuration") as caught:
        converted(source, None, arch=gelu)
    assert "--force" in str(caught.value.remedy)
    assert native.read(folder / native.CONFIG_NAME) == spec
    assert converted(source, None, arch=gelu, force=True) == folder
    assert native.read(folder / native.CONFIG_NAME) == gelu


def test_two_at_once_share_one_place_in_the_cache(
    small: Small, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = small.save(tmp_path / "in")
    fill, began, go_on = run._fill, threading.Event(), threading.Event()

    def slow(*args: Any) -> None:
        began.set()
        assert go_on.wait(20)
        fill(*args)

    monkeypatch.setattr(run, "_fill", slow)
    folders: list[Path] = []
    first = threading.Thread(target=lambda: folders.append(converted(source, None)))
    first.start()
    assert began.wait(20)
    listener = Listener(heard=lambda text: go_on.set() if "waiting" in text else None)
    folders.append(converted(source, None, listener))
    first.join()
    assert len(set(folders)) == 1
    assert any("waiting" in text for text in listener.said)
    assert listener.said[-1] == "in: converted already"
