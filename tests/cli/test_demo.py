"""``zoo demo`` does the whole main job."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.paddle


def test_the_demo_on_goldens(run_zoo, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("zoo.verify.reference_side._installed", lambda: False)
    ran = run_zoo("demo", "--json")
    assert ran.code == 0, ran.stderr
    document = json.loads(ran.stdout)
    assert document["result"]["status"] == "parity"
    held_out = document["held_out"]
    assert held_out["agreeing"] == held_out["images"] == 397
    assert held_out["top1_paddle"] == held_out["top1_open_clip"] == pytest.approx(100 * 394 / 397)


def test_without_paddle_the_extra_is_named(run_zoo, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    ran = run_zoo("demo")
    assert ran.code == 6 and "paddle-clip-zoo[cpu]" in ran.stderr
