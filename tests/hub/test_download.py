"""Which files come here, and from where, by the real client and a real server: see conftest.py."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from zoo.convert import provenance
from zoo.convert.readers import open_checkpoint
from zoo.convert.run import Options, convert
from zoo.convert.select import WEIGHTS
from zoo.convert.source import Source
from zoo.data import path as data_path
from zoo.spec.open_clip import CONFIG_NAME as CONFIG
from zoo.talk import Silence

SAFE, OLD, BIN = WEIGHTS["open_clip"]
NBYTES = 300_000
DATA, OTHER = np.random.default_rng(0).bytes(NBYTES), b"other weights"
FILES = {CONFIG: b'{"model_cfg": {}}', BIN: DATA, "README.md": b"words", "model.onnx": b"more"}


def shard(tensor: str) -> bytes:
    header = json.dumps({tensor: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return len(header).to_bytes(8, "little") + header + np.arange(2, dtype="<f4").tobytes()


def sharded(weight_map: dict[str, str]) -> dict[str, bytes]:
    index = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    return {CONFIG: b"{}", f"{SAFE}.index.json": index}


def test_only_the_needed_files_are_fetched_and_all_are_recorded(
    hub: Any, client: Any, name: str
) -> None:
    commit = hub.repo(name, FILES | {"vocab.bin": OTHER}).main
    answer = client.fetch(name)
    assert answer["result"]["commit"] == commit
    assert answer["result"]["files"] == [
        {"name": file, "size": len(FILES[file]), "sha256": hashlib.sha256(FILES[file]).hexdigest()}
        for file in (CONFIG, BIN)
    ]
    folder = Path(answer["result"]["folder"])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        file: FILES[file] for file in (CONFIG, BIN)
    }
    assert hub.file_bytes() == len(FILES[CONFIG]) + NBYTES
    downloading = answer["progresses"][0]
    assert downloading["total"] == downloading["done"] == len(FILES[CONFIG]) + NBYTES
    assert f"no commit is pinned; main is {commit}" in answer["said"][0]


@pytest.mark.parametrize(
    ("there", "taken"), [((BIN, OLD, SAFE), SAFE), ((BIN, OLD), OLD), ((BIN,), BIN)]
)
def test_weights_are_taken_in_the_order_of_preference(
    hub: Any, client: Any, name: str, there: tuple[str, ...], taken: str
) -> None:
    hub.repo(name, {CONFIG: b"{}"} | {file: file.encode() for file in there})
    assert [file["name"] for file in client.fetch(name)["result"]["files"]] == [CONFIG, taken]


def test_of_two_formats_open_clips_is_taken_and_said(hub: Any, client: Any, name: str) -> None:
    hf = {"config.json": b"{}", "preprocessor_config.json": b"[]", "model.safetensors": OTHER}
    hub.repo(name, FILES | hf)
    answer = client.fetch(name)
    assert answer["result"]["family"] == "open_clip"
    assert "taking open_clip (--from hf takes hf)" in "".join(answer["said"])
    answer = client.fetch(name, family="hf")
    assert [file["name"] for file in answer["result"]["files"]] == list(hf)
    assert "taking" not in "".join(answer["said"])


def test_hf_alone_is_taken_without_being_asked_for(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {"config.json": b"{}", "pytorch_model.bin": OTHER})
    assert client.fetch(name)["result"]["family"] == "hf"


def test_the_index_names_the_shards(hub: Any, client: Any, offline: Any, name: str) -> None:
    shards = {"a-1.safetensors": shard("x"), "a-2.safetensors": shard("y")}
    unnamed = {"a-3.safetensors": shard("z"), "pytorch_model.bin": OTHER}
    hub.repo(name, sharded({"x": "a-1.safetensors", "y": "a-2.safetensors"}) | shards | unnamed)
    result = client.fetch(name)["result"]
    index = f"{SAFE}.index.json"
    assert [file["name"] for file in result["files"]] == [CONFIG, index, *shards]
    assert not hub.asked("a-3")
    with open_checkpoint(Path(result["folder"]) / index) as checkpoint:
        assert list(checkpoint.tensors) == ["x", "y"]

    (Path(result["folder"]) / "a-2.safetensors").unlink()
    error = offline.fetch(name)["error"]
    assert error["name"] == "OFFLINE"
    assert "the hub's cache lacks a-2.safetensors" in error["what"]


def test_what_was_fetched_converts(hub: Any, client: Any, name: str, tmp_path: Path) -> None:
    files = {p.name: p.read_bytes() for p in data_path("tiny").iterdir() if p.is_file()}
    hub.repo(name, files)
    result = client.fetch(name)["result"]
    source = Source(id=name, path=None, repo=name, commit=result["commit"], manifest=None)
    options = Options(command=("zoo", "convert", name))
    folder = convert(source, Path(result["folder"]), tmp_path / "out", options, Silence())
    record = provenance.read(folder).source
    assert (record.repo, record.commit) == (name, result["commit"])
    assert msgspec.to_builtins(record.files) == result["files"]


@pytest.mark.parametrize("shard_name", ["../../x.safetensors", "/etc/passwd", "a/b", "x\0y"])
def test_an_index_that_leads_elsewhere_is_refused(
    hub: Any, client: Any, name: str, shard_name: str
) -> None:
    hub.repo(name, sharded({"x": shard_name}) | {shard_name: OTHER})
    assert client.fetch(name)["error"]["name"] == "PATH"


def test_an_index_of_files_that_are_not_there(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, sharded({"x": "a-1.safetensors"}))
    error = client.fetch(name)["error"]
    assert (error["name"], error["what"]) == ("NOTFOUND", "the repository lacks a-1.safetensors")


def test_a_second_download_costs_one_request_and_no_bytes_of_files(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    first = client.fetch(name)["result"]
    hub.seen.clear()
    again = client.fetch(name)
    assert again["result"] == first
    assert [seen.path.partition("?")[0] for seen in hub.seen] == [
        f"/api/models/{name}/revision/main"
    ]
    assert hub.file_bytes() == 0
    assert [progress["label"] for progress in again["progresses"]] == ["checking"]


def test_a_pinned_commit_that_is_here_costs_no_request(hub: Any, client: Any, name: str) -> None:
    commit = hub.repo(name, FILES).main
    first = client.fetch(name, revision=commit)["result"]
    hub.seen.clear()
    assert client.fetch(name, revision=commit)["result"] == first
    assert hub.seen == []


def test_a_pinned_commit_of_which_another_format_is_here_is_asked_for(
    hub: Any, client: Any, name: str
) -> None:
    commit = hub.repo(name, FILES | {"config.json": b"{}", "model.safetensors": OTHER}).main
    client.fetch(name, revision=commit, family="hf")
    assert client.fetch(name, revision=commit)["result"]["family"] == "open_clip"


def test_a_pinned_commit_whose_preprocessing_is_not_here_is_asked_for(
    hub: Any, client: Any, name: str
) -> None:
    """transformers' AutoModel brings configuration and weights, and no preprocessing."""
    hf = {"config.json": b"{}", "preprocessor_config.json": b"{}", "model.safetensors": OTHER}
    commit = hub.repo(name, hf).main
    first = client.fetch(name, revision=commit, family="hf")["result"]
    (Path(first["folder"]) / "preprocessor_config.json").unlink()
    assert client.fetch(name, revision=commit, family="hf")["result"] == first


def test_offline_with_everything_here_asks_for_nothing(
    hub: Any, client: Any, offline: Any, name: str
) -> None:
    hub.repo(name, FILES)
    first = client.fetch(name)["result"]
    hub.seen.clear()
    assert offline.fetch(name)["result"] == first
    assert client.fetch(name, env={"ZOO_OFFLINE": "1"})["result"] == first
    assert hub.seen == []


EITHER = (
    f"{CONFIG} and one of {SAFE}, {OLD}, {BIN}; "
    "or config.json and one of model.safetensors, pytorch_model.bin; "
    "or config.json and one of model_state.pdparams, model_state.tp00.pdparams"
)


@pytest.mark.parametrize("revision", [None, "v1", "0" * 40])
def test_offline_without_says_what_is_missing_and_what_fetches_it(
    hub: Any, client: Any, offline: Any, name: str, revision: str | None
) -> None:
    hub.repo(name, FILES)
    command = f"zoo convert {name}" + (f" --revision {revision}" if revision else "")
    for switch, error in (
        ("HF_HUB_OFFLINE", offline.fetch(name, revision=revision)["error"]),
        ("ZOO_OFFLINE", client.fetch(name, revision=revision, env={"ZOO_OFFLINE": "1"})["error"]),
    ):
        assert error["name"] == "OFFLINE"
        assert error["what"] == f"{switch} is set, and the hub's cache lacks {EITHER}"
        assert error["remedy"].endswith(f": {switch}=0 {command}")
    assert hub.seen == []
    error = offline.fetch(name, family="hf")["error"]
    assert "lacks config.json and one of model.safetensors, pytorch_model.bin" in error["what"]
    assert error["remedy"].endswith(f"zoo convert {name} --from hf")


def test_a_revision_that_has_moved_is_said(hub: Any, client: Any, offline: Any, name: str) -> None:
    repo = hub.repo(name, FILES)
    first = client.fetch(name)["result"]
    second = repo.commit(FILES | {CONFIG: b"{ }"})
    hub.seen.clear()
    answer = client.fetch(name)
    assert answer["result"]["commit"] == second != first["commit"]
    assert f"main has moved from {first['commit']} to {second}" in "".join(answer["said"])
    assert hub.file_bytes() == 3  # the weights are the same, and were not fetched again
    assert answer["progresses"][0]["total"] == answer["progresses"][0]["done"] == 3
    assert offline.fetch(name)["result"]["commit"] == second
    assert client.fetch(name, revision=first["commit"])["result"] == first


@pytest.mark.parametrize(
    "repo", ["../../etc", "a--b/c", "a/b/c", "é/x", "x" * 200, "-a/b", "a/..", "", "a/b.git", "."]
)
def test_a_name_that_cant_be_one_is_refused_before_anything(
    hub: Any, client: Any, repo: str
) -> None:
    assert client.fetch(repo)["error"]["name"] == "NAME"
    assert hub.seen == []


@pytest.mark.parametrize("revision", ["../main", "a..b", "/etc", "-x", "", "a b", "x" * 300])
def test_a_revision_that_cant_be_one_is_refused_before_anything(
    hub: Any, client: Any, name: str, revision: str
) -> None:
    hub.repo(name, FILES)
    assert client.fetch(name, revision=revision)["error"]["name"] == "NAME"
    assert hub.seen == []
