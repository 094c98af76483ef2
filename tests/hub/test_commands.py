"""The commands against the loopback hub: a repository goes in, a converted folder comes out."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from zoo import data
from zoo.manifest import registry

CONFIG, SAFE = "open_clip_config.json", "open_clip_model.safetensors"
Zoo = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tiny_repo(hub: Any) -> str:
    files = {name: (data.path("tiny") / name).read_bytes() for name in (CONFIG, SAFE)}
    hub.repo("acme/tiny", files)
    return "acme/tiny"


@pytest.fixture
def zoo(hub: Any, tmp_path: Path) -> Zoo:
    """``zoo`` in a process of its own, whose hub is on loopback and whose caches are empty."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path / "hf"),
        "ZOO_HOME": str(tmp_path / "zoo"),
        "HF_ENDPOINT": hub.endpoint,
        "NO_PROXY": "*",
    }

    def run(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *(() if words[0] == "-c" else ("-m", "zoo")), *words],
            capture_output=True,
            text=True,
            env=env | more,
            cwd=Path(__file__).parents[2],
            timeout=120,
        )

    return run


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


def test_convert_records_the_commit_and_again_costs_nothing(
    zoo: Zoo, hub: Any, tiny_repo: str
) -> None:
    first = zoo("convert", tiny_repo)
    assert first.returncode == 0, first.stderr
    folder = Path(first.stdout.strip())
    record = json.loads((folder / "provenance.json").read_text())
    assert record["id"] == record["source"]["repo"] == tiny_repo
    assert record["source"]["commit"] == hub.repos[tiny_repo].main
    assert zoo("verify", str(folder), "--upto", "files").returncode == 0

    before = hub.file_bytes()
    second = zoo("convert", tiny_repo)
    assert second.stdout == first.stdout and "converted already" in second.stderr
    assert hub.file_bytes() == before
    offline = zoo("convert", tiny_repo, HF_HUB_OFFLINE="1")
    assert offline.returncode == 0 and offline.stdout == first.stdout


def test_several_go_on_past_a_failure_and_end_with_a_table(
    zoo: Zoo, hub: Any, tiny_repo: str
) -> None:
    ran = zoo("convert", "acme/absent", tiny_repo)
    assert ran.returncode == 6
    assert len(ran.stdout.splitlines()) == 1
    assert ran.stderr.splitlines()[-2:] == ["NOTFOUND   acme/absent", f"converted  {tiny_repo}"]


@pytest.mark.parametrize("family", ["open_clip", "paddlemix"])
def test_without_a_connection_one_is_tried_and_what_is_here_is_converted(
    zoo: Zoo, nobody: str, family: str
) -> None:
    ids = [manifest.id for manifest in registry().manifests if manifest.source.paddlemix][:3]
    here = str(data.path("tiny"))
    words = ("convert", *ids, here) if family == "open_clip" else ("convert", *ids)
    ran = zoo(*words, "--from", family, HF_ENDPOINT=nobody, HTTPS_PROXY=nobody, NO_PROXY="")
    assert ran.returncode == 6
    assert ran.stderr.count("again in 1 s") == 1
    assert ran.stderr.count("NETWORK: ") == 1
    assert ran.stderr.count("There is no connection: what else would be downloaded") == 1
    table = [f"NETWORK    {model}" for model in ids]
    if family == "open_clip":
        table.append(f"converted  {here}")
    assert ran.stderr.splitlines()[-len(table) :] == table


def test_show_remote_reads_headers_alone(zoo: Zoo, hub: Any, tiny_repo: str) -> None:
    ran = zoo("show", "--remote", tiny_repo, "--json")
    assert ran.returncode == 0, ran.stderr
    shown = json.loads(ran.stdout)
    assert shown["parameters"] == 1_808_313 and shown["tensors"] == 74
    assert shown["commit"] == hub.repos[tiny_repo].main
    assert shown["bytes_read"] < shown["weights_bytes"] / 10
    assert hub.file_bytes() < 300_000


def test_show_remote_of_what_does_not_fit_is_the_plans_error(zoo: Zoo, hub: Any) -> None:
    config = json.loads((data.path("tiny") / CONFIG).read_text())
    config["model_cfg"]["vision_cfg"]["width"] = 96
    weights = (data.path("tiny") / SAFE).read_bytes()
    hub.repo("acme/odd", {CONFIG: json.dumps(config).encode(), SAFE: weights})
    ran = zoo("show", "--remote", "acme/odd")
    assert ran.returncode == 4 and "96" in ran.stderr and "80" in ran.stderr


LOAD = """
import sys, numpy, zoo
model, preprocess, tokenizer = zoo.load(sys.argv[1])
features = model.encode_text(tokenizer(["a zero"]), normalize=True)
print(type(model).__name__, model.training, round(float((features**2).sum()), 5))
"""


@pytest.mark.paddle
def test_load_converts_what_is_not_here_yet(hub: Any, tiny_repo: str, zoo: Zoo) -> None:
    first = zoo("-c", LOAD, tiny_repo)
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("CLIP False 1.0")
    assert f"{tiny_repo}: open_clip, 94 tensors" in first.stderr
    before = len(hub.seen)
    second = zoo("-c", LOAD, tiny_repo)
    assert second.stdout == first.stdout and len(hub.seen) == before


def test_all_goes_on_past_failures_and_ends_with_a_table(zoo: Zoo, hub: Any) -> None:
    """The hub has one of the zoo's models, and that is another than it is said to be."""
    wrong = registry().manifests[0]
    files = {name: (data.path("tiny") / name).read_bytes() for name in (CONFIG, SAFE)}
    hub.repo(wrong.source.hub, files)
    ran = zoo("convert", "--all")
    assert ran.returncode in (4, 6) and ran.stdout == ""
    ids = [manifest.id for manifest in registry().manifests]
    table = dict(reversed(line.split()) for line in ran.stderr.splitlines()[-len(ids) :])
    assert list(table) == ids
    assert table.pop(wrong.id) in ("CONFIG", "MAPPING")
    assert set(table.values()) == {"NOTFOUND"}
