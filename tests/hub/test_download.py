"""Against a real HTTP server, by the real client: see conftest.py."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from zoo.convert import provenance
from zoo.convert.readers import open_checkpoint
from zoo.convert.run import Options, convert
from zoo.convert.source import Source
from zoo.data import path as data_path
from zoo.talk import Silence

CONFIG, SAFE, OLD, BIN = (
    "open_clip_config.json",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin",
)
SIZE = 3_000_000
WEIGHTS = np.random.default_rng(0).bytes(SIZE)
OTHER = np.random.default_rng(1).bytes(SIZE)
FILES = {CONFIG: b'{"model_cfg": {}}', BIN: WEIGHTS, "README.md": b"words", "model.onnx": b"more"}
STEP = 10 * 2**20  # what huggingface_hub writes at a time; what came after the last is lost
LONG = np.random.default_rng(2).bytes(STEP + 2_000_000)
OPEN_CLIP_BYTES = len(FILES[CONFIG]) + SIZE


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def cached(client: Any, repo: str) -> list[bytes]:
    """Every content that is in the cache of a repository, under whatever name."""
    folder = client.cache / f"models--{repo.replace('/', '--')}"
    return [p.read_bytes() for p in folder.rglob("*") if p.is_file() and "refs" not in p.parts]


def once(hub: Any, part: str, action: Callable[[Any], None], *, times: int = 1) -> None:
    """Has the next requests for ``part`` answered by ``action``."""
    left = [times]

    def fault(handler: Any) -> bool:
        if part not in handler.path or not left[0]:
            return False
        left[0] -= 1
        action(handler)
        return True

    hub.fault = fault


def always(hub: Any, part: str, action: Callable[[Any], None]) -> None:
    once(hub, part, action, times=-1)


def shard(tensor: str) -> bytes:
    header = json.dumps({tensor: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}).encode()
    return len(header).to_bytes(8, "little") + header + np.arange(2, dtype="<f4").tobytes()


def sharded(weight_map: dict[str, str]) -> dict[str, bytes]:
    index = json.dumps({"metadata": {}, "weight_map": weight_map}).encode()
    return {CONFIG: b"{}", f"{SAFE}.index.json": index}


# what is fetched


def test_only_the_needed_files_are_fetched_and_all_are_recorded(
    hub: Any, client: Any, name: str
) -> None:
    commit = hub.repo(name, FILES | {"vocab.bin": OTHER}).main
    answer = client.fetch(name)
    assert answer["result"]["commit"] == commit
    assert answer["result"]["files"] == [
        {"name": file, "size": len(FILES[file]), "sha256": sha256(FILES[file])}
        for file in (CONFIG, BIN)
    ]
    folder = Path(answer["result"]["folder"])
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == {
        file: FILES[file] for file in (CONFIG, BIN)
    }
    assert hub.file_bytes() == OPEN_CLIP_BYTES
    downloading = answer["progresses"][0]
    assert downloading["total"] == downloading["done"] == OPEN_CLIP_BYTES
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


# the second time, and offline


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


def test_offline_with_everything_here_asks_for_nothing(
    hub: Any, client: Any, offline: Any, name: str
) -> None:
    hub.repo(name, FILES)
    first = client.fetch(name)["result"]
    hub.seen.clear()
    assert offline.fetch(name)["result"] == first
    assert client.fetch(name, env={"ZOO_OFFLINE": "1"})["result"] == first
    assert hub.seen == []


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
        assert error["what"] == (
            f"{switch} is set, and the hub's cache lacks {CONFIG} and one of {SAFE}, {OLD}, {BIN}"
        )
        assert error["remedy"].endswith(f": {switch}=0 {command}")
    assert hub.seen == []


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


# what was promised


def test_other_bytes_than_promised_are_refused_and_not_kept(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    once(hub, "/lfs/", lambda handler: handler.part_of(OTHER))
    error = client.fetch(name)["error"]
    assert error["name"] == "DIGEST"
    assert f"{BIN}: sha256 {sha256(OTHER)}" in error["where"]
    assert cached(client, name) == [FILES[CONFIG]] * 2  # a blob and the link to it
    assert client.fetch(name)["result"]["files"][1]["sha256"] == sha256(WEIGHTS)


def test_a_small_file_is_held_against_gits_name_of_it(hub: Any, client: Any, name: str) -> None:
    commit = hub.repo(name, FILES).main

    def other(handler: Any) -> None:
        handler.reply(200, b'{"model_cfg": []}', {"X-Repo-Commit": commit, "ETag": '"1"'})

    once(hub, CONFIG, other, times=2)
    assert client.fetch(name)["error"]["name"] == "DIGEST"
    assert cached(client, name) == [WEIGHTS] * 2


def test_another_commit_than_asked_for_is_refused(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)

    def other(handler: Any) -> None:
        handler.reply(200, FILES[CONFIG], {"X-Repo-Commit": "0" * 40, "ETag": '"1"'})

    once(hub, CONFIG, other, times=2)
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert f"the hub sent {'0' * 40}" in error["what"]


def test_a_file_that_changed_in_the_cache_is_found_offline(
    hub: Any, client: Any, offline: Any, name: str
) -> None:
    hub.repo(name, FILES)
    folder = Path(client.fetch(name)["result"]["folder"])
    (folder / BIN).resolve().write_bytes(WEIGHTS[:-1] + b"!")
    assert offline.fetch(name)["error"]["name"] == "DIGEST"
    assert offline.fetch(name)["error"]["name"] == "OFFLINE"


def test_a_manifests_commit_and_digests_count(hub: Any, client: Any, name: str) -> None:
    repo = hub.repo(name, FILES)
    pin = {"hub": name, "revision": repo.main, "sha256": {BIN: sha256(WEIGHTS)}}
    repo.commit({CONFIG: b"{}", BIN: OTHER})
    answer = client.fetch(name, manifest=pin)
    assert answer["result"]["commit"] == pin["revision"]
    assert answer["said"] == [f"{name}: 2 files, 3.0 MB to download"]
    # a person's word is above the manifest's, whose digests are for its own commit
    assert client.fetch(name, manifest=pin, revision="main")["result"]["commit"] == repo.main


def test_a_hub_that_differs_from_the_manifest_gets_no_download(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    stated = sha256(OTHER)
    error = client.fetch(name, manifest={"hub": name, "sha256": {BIN: stated}})["error"]
    assert error["name"] == "DIGEST"
    assert f"sha256 {sha256(WEIGHTS)}, not {stated}" in error["what"]
    assert hub.file_bytes() == 0
    # the hub knows no sha256 of a small file beforehand
    wrong = {"hub": name, "sha256": {CONFIG: stated}}
    assert client.fetch(name, manifest=wrong)["error"]["name"] == "DIGEST"
    assert FILES[CONFIG] not in cached(client, name)
    other = {"hub": "zoo/another", "revision": "0" * 40, "sha256": {BIN: stated}}
    assert client.fetch(name, manifest=other)["result"]


# what is not there, or not permitted


def test_a_repository_that_is_not_there(hub: Any, client: Any) -> None:
    error = client.fetch("laion/CLIP-ViT-B-32-laion2B-s34B-b79")["error"]
    assert error["name"] == "NOTFOUND"
    assert "Did you mean: laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in error["remedy"]
    assert "HF_TOKEN" in error["remedy"]


def test_a_revision_that_is_not_there(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    error = client.fetch(name, revision="v9")["error"]
    assert (error["name"], error["what"]) == ("NOTFOUND", "the repository has no such revision")


def test_a_repository_without_a_checkpoint(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {"README.md": b"", BIN: OTHER})
    error = client.fetch(name)["error"]
    assert error["name"] == "NOTFOUND"
    assert error["what"].startswith(f"the repository lacks {CONFIG} and one of {SAFE}")
    assert hub.file_bytes() == 0


def test_a_gated_repository_needs_a_token_which_stays_on_the_hub(
    hub: Any, client: Any, name: str, tmp_path: Path
) -> None:
    hub.repo(name, FILES).gated = True
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert f"Accept it at {hub.endpoint}/{name}, then set HF_TOKEN" in error["remedy"]

    member = type(client)(hub.endpoint, tmp_path, HF_TOKEN="hf_member")
    assert member.fetch(name)["result"]
    member.close()
    assert {seen.token for seen in hub.asked("/lfs/")} == {None}


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


# what goes wrong on the way


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES | {BIN: LONG})
    cut = LONG[: STEP + 1_000_000]
    once(hub, "/lfs/", lambda handler: handler.reply(200, cut, length=len(LONG)))
    answer = client.fetch(name)
    assert answer["result"]["files"][1]["sha256"] == sha256(LONG)
    assert [seen.range for seen in hub.asked("/lfs/")] == [None, f"bytes={STEP}-"]
    assert "Trying to resume" in "".join(answer["said"])
    assert "signature" not in "".join(answer["said"])


def test_a_server_without_ranges_sends_it_all_again(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES | {BIN: LONG})
    bodies = [LONG, LONG[: STEP + 1_000_000]]
    once(
        hub,
        "/lfs/",
        lambda handler: handler.reply(200, bodies.pop(), length=len(LONG)),
        times=2,
    )
    answer = client.fetch(name)
    assert answer["result"]["files"][1]["sha256"] == sha256(LONG)
    assert [seen.range for seen in hub.asked("/lfs/")] == [None, f"bytes={STEP}-"]
    assert answer["progresses"][0]["done"] == len(FILES[CONFIG]) + len(LONG)


def test_a_connection_that_breaks_every_time_ends_with_an_error(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    always(hub, "/lfs/", lambda handler: handler.reply(200, b"", length=SIZE))
    answer = client.fetch(name)
    assert answer["error"]["name"] == "NETWORK"
    assert len(hub.asked("/lfs/")) == 6
    assert "the next run begins this one anew" in answer["said"][-1]
    assert cached(client, name) == [FILES[CONFIG]] * 2


def test_an_interrupted_download_says_what_it_is_worth(
    hub: Any, name: str, tmp_path: Path, client: Any
) -> None:
    hub.repo(name, FILES)
    begun = []

    def stall(handler: Any) -> None:
        begun.append(handler)
        handler.reply(200, WEIGHTS[:1_000_000], length=SIZE)
        time.sleep(30)

    always(hub, "/lfs/", stall)
    patient = type(client)(hub.endpoint, tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="30")
    patient.start("fetch", name)
    while not begun:
        time.sleep(0.01)
    time.sleep(0.2)
    patient.interrupt()
    answer = patient.answer()
    assert answer["error"]["name"] == "INTERRUPTED"
    assert "keeps no unfinished file" in answer["said"][-1]
    assert cached(patient, name) == [FILES[CONFIG]] * 2
    patient.close()


def test_a_file_of_another_size_than_promised(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    always(hub, "/lfs/", lambda handler: handler.part_of(WEIGHTS[:-1]))
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert f"file should be of size {SIZE} but has size {SIZE - 1}" in error["what"]
    assert cached(client, name) == [FILES[CONFIG]] * 2


def test_more_than_the_disk_holds_is_refused_before_the_first_byte(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    large = {"size": 10**18, "sha256": "0" * 64, "pointerSize": 134}
    siblings = [
        {"rfilename": CONFIG, "size": 2, "blobId": "0" * 40},
        {"rfilename": BIN, "size": 10**18, "blobId": "0" * 40, "lfs": large},
    ]
    body = {"id": name, "sha": hub.repos[name].main, "siblings": siblings}
    once(hub, "/api/models", lambda handler: handler.reply(200, json.dumps(body).encode()))
    error = client.fetch(name)["error"]
    assert error["name"] == "DISK"
    assert "HF_HOME" in error["remedy"]
    assert hub.file_bytes() == 0


def test_a_hub_in_trouble_is_asked_a_few_times(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    once(hub, "/api/models", lambda handler: handler.reply(503), times=3)
    assert client.fetch(name)["result"]
    hub.seen.clear()
    always(hub, "/api/models", lambda handler: handler.reply(503))
    error = client.fetch(name)["error"]
    assert (error["name"], error["what"]) == ("NETWORK", "the hub answered with status 503")
    assert len(hub.seen) == 4


def test_too_many_requests_are_waited_out_for_as_long_as_that_is_short(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    once(hub, "/api/models", lambda handler: handler.reply(429, headers={"Retry-After": "1"}))
    began = time.monotonic()
    assert client.fetch(name)["result"]
    assert time.monotonic() - began > 1

    hub.repo(f"{name}-2", FILES | {BIN: OTHER})

    def ask_to_wait(handler: Any) -> None:
        handler.reply(429, headers={"Retry-After": "3600", "RateLimit": '"resolvers";r=0;t=300'})

    for part in ("/api/models", "/lfs/"):
        always(hub, part, ask_to_wait)
        error = client.fetch(f"{name}-2")["error"]
        assert (error["name"], error["what"]) == ("NETWORK", "the hub asks to wait 300 s")
    for part in ("/api/models", "/lfs/"):
        always(hub, part, lambda handler: handler.reply(503, headers={"Retry-After": "3600"}))
        error = client.fetch(f"{name}-2")["error"]
        assert (error["name"], error["what"]) == ("NETWORK", "the hub asks to wait 3600 s")


def test_a_hub_that_does_not_answer(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    always(hub, "/api/models", lambda handler: time.sleep(1.5))
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert "timed out" in error["what"]
    assert len(hub.seen) == 4


@pytest.mark.parametrize("part", ["/api/models", "/lfs/"])
def test_another_scheme_is_not_followed(hub: Any, client: Any, name: str, part: str) -> None:
    hub.repo(name, FILES)
    away = {"Location": "file:///etc/passwd"}
    always(hub, part, lambda handler: handler.reply(302, headers=away))
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert "from http to file" in error["what"]


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"[]", b"{}", b'{"id": "x", "sha": "../x", "siblings": []}']
)
def test_what_is_no_hub(hub: Any, client: Any, name: str, body: bytes) -> None:
    always(hub, "/api/models", lambda handler: handler.reply(200, body))
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert "the answer is not a hub's" in error["what"]


def test_no_hub_at_all(client: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    alone = type(client)(f"http://127.0.0.1:{port}", tmp_path)
    error = alone.fetch("zoo/any")["error"]
    alone.close()
    assert error["name"] == "NETWORK"
    assert "can't be reached" in error["what"]
    assert "HF_ENDPOINT" in error["remedy"]
