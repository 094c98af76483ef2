from __future__ import annotations

import os
from pathlib import Path

import pytest

from zoo import cache


def checkpoint(folder: Path, seconds: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "provenance.json").touch()
    os.utime(folder / "provenance.json", (seconds, seconds))
    return folder


def test_it_is_where_zoo_home_says(zoo_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.home() == zoo_home
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("ZOO_HOME", "~/zoo")
    assert cache.home() == Path("/home/somebody/zoo")
    for unset in ("", None):
        monkeypatch.setenv("ZOO_HOME", "") if unset == "" else monkeypatch.delenv("ZOO_HOME")
        assert cache.home() == Path("/home/somebody/.cache/zoo")


def test_a_folder_is_named_after_the_source_and_the_type(zoo_home: Path) -> None:
    folder = cache.model_folder("org/name", "0123456789abcdef", "float16")
    assert folder == zoo_home / "models" / "org" / "name" / "0123456789ab-float16"


def test_the_newest_comes_first_and_what_is_unfinished_not_at_all(zoo_home: Path) -> None:
    models = zoo_home / "models"
    old = checkpoint(models / "org" / "name" / "1-float32", 100)
    new = checkpoint(models / "org" / "name" / "0-float32", 200)
    other = checkpoint(models / "name" / "2-float32", 300)
    checkpoint(models / "name" / ".3-float32.partial", 400)
    assert cache.converted("org/name") == [new, old]
    assert cache.converted("name") == [other]
    assert cache.converted("nothing") == []
    assert cache.all_converted() == [other, new, old]


def test_an_empty_cache_need_not_exist(zoo_home: Path) -> None:
    assert not zoo_home.exists()
    assert cache.all_converted() == []
