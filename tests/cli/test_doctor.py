"""``zoo doctor`` shows what is there and what is missing for what."""

from __future__ import annotations

import json

import pytest


def test_the_document(run_zoo, zoo_home) -> None:  # type: ignore[no-untyped-def]
    ran = run_zoo("doctor", "--json")
    document = json.loads(ran.stdout)
    assert ran.code == 0 and document["schema_version"] == 1
    assert document["cache"]["folder"] == str(zoo_home) and document["cache"]["free_bytes"] > 0
    names = {setting["name"] for setting in document["runtime"]["settings"]}
    assert {"OMP_NUM_THREADS", "MKL_DEBUG_CPU_TYPE"} <= names


def test_a_users_setting_is_shown_as_the_users(run_zoo, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("MKL_DEBUG_CPU_TYPE", "3")
    settings = json.loads(run_zoo("doctor", "--json").stdout)["runtime"]["settings"]
    (mkl,) = (setting for setting in settings if setting["name"] == "MKL_DEBUG_CPU_TYPE")
    assert (mkl["value"], mkl["origin"]) == ("3", "user")


def test_a_missing_library_names_its_extra(run_zoo, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    import importlib.util

    real = importlib.util.find_spec
    hidden = {"open_clip"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in hidden else real(name)
    )
    ran = run_zoo("doctor")
    assert "missing" in ran.stdout and "paddle-clip-zoo[reference]" in ran.stdout
