"""What comes here is what was promised, whatever happens on the way."""

from __future__ import annotations

import hashlib
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np

from zoo.convert.select import WEIGHTS
from zoo.spec.open_clip import CONFIG_NAME as CONFIG

BIN = WEIGHTS["open_clip"][-1]
NBYTES = 300_000
DATA, OTHER = (np.random.default_rng(seed).bytes(NBYTES) for seed in (0, 1))
FILES = {CONFIG: b'{"model_cfg": {}}', BIN: DATA}
STEP = 10 * 2**20  # what huggingface_hub writes at a time; what came after the last is lost
LONG = np.random.default_rng(2).bytes(STEP + 2_000_000)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_other_bytes_than_promised_are_refused_and_not_kept(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    hub.once("/lfs/", lambda handler: handler.part_of(OTHER))
    error = client.fetch(name)["error"]
    assert error["name"] == "DIGEST"
    assert f"{BIN}: sha256 {sha256(OTHER)}" in error["where"]
    assert client.contents(name) == [FILES[CONFIG]] * 2  # a blob and the link to it
    assert client.fetch(name)["result"]["files"][1]["sha256"] == sha256(DATA)


def test_a_small_file_is_held_against_gits_name_of_it(hub: Any, client: Any, name: str) -> None:
    commit = hub.repo(name, FILES).main

    def other(handler: Any) -> None:
        handler.reply(200, b'{"model_cfg": []}', {"X-Repo-Commit": commit, "ETag": '"1"'})

    hub.once(CONFIG, other, times=2)
    assert client.fetch(name)["error"]["name"] == "DIGEST"
    assert client.contents(name) == [DATA] * 2


def test_another_commit_than_asked_for_is_refused(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)

    def other(handler: Any) -> None:
        handler.reply(200, FILES[CONFIG], {"X-Repo-Commit": "0" * 40, "ETag": '"1"'})

    hub.once(CONFIG, other, times=2)
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert f"the hub sent {'0' * 40}" in error["what"]


def test_a_file_that_changed_in_the_cache_is_found_offline(
    hub: Any, client: Any, offline: Any, name: str
) -> None:
    hub.repo(name, FILES)
    folder = Path(client.fetch(name)["result"]["folder"])
    (folder / BIN).resolve().write_bytes(DATA[:-1] + b"!")
    assert offline.fetch(name)["error"]["name"] == "DIGEST"
    assert offline.fetch(name)["error"]["name"] == "OFFLINE"


def test_a_manifests_commit_and_digests_count(hub: Any, client: Any, name: str) -> None:
    repo = hub.repo(name, FILES)
    pin = {"hub": name, "revision": repo.main, "sha256": {BIN: sha256(DATA)}}
    repo.commit({CONFIG: b"{}", BIN: OTHER})
    answer = client.fetch(name, manifest=pin)
    assert answer["result"]["commit"] == pin["revision"]
    assert answer["said"] == [f"{name}: 2 files, 300.0 kB to download"]
    # a person's word is above the manifest's, whose digests are for its own commit
    assert client.fetch(name, manifest=pin, revision="main")["result"]["commit"] == repo.main


def test_a_hub_that_differs_from_the_manifest_gets_no_download(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    stated = sha256(OTHER)
    error = client.fetch(name, manifest={"hub": name, "sha256": {BIN: stated}})["error"]
    assert error["name"] == "DIGEST"
    assert f"sha256 {sha256(DATA)}, not {stated}" in error["what"]
    assert hub.file_bytes() == 0
    # the hub knows no sha256 of a small file beforehand
    wrong = {"hub": name, "sha256": {CONFIG: stated}}
    assert client.fetch(name, manifest=wrong)["error"]["name"] == "DIGEST"
    assert FILES[CONFIG] not in client.contents(name)
    other = {"hub": "zoo/another", "revision": "0" * 40, "sha256": {BIN: stated}}
    assert client.fetch(name, manifest=other)["result"]


def test_a_broken_connection_is_taken_up_where_it_broke(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES | {BIN: LONG})
    cut = LONG[: STEP + 1_000_000]
    hub.once("/lfs/", lambda handler: handler.reply(200, cut, length=len(LONG)))
    answer = client.fetch(name)
    assert answer["result"]["files"][1]["sha256"] == sha256(LONG)
    assert [seen.range for seen in hub.asked("/lfs/")] == [None, f"bytes={STEP}-"]
    assert "Trying to resume" in "".join(answer["said"])
    assert "signature" not in "".join(answer["said"])


def test_a_server_without_ranges_sends_it_all_again(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES | {BIN: LONG})
    bodies = [LONG, LONG[: STEP + 1_000_000]]
    hub.once(
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
    hub.always("/lfs/", lambda handler: handler.reply(200, b"", length=NBYTES))
    answer = client.fetch(name)
    assert answer["error"]["name"] == "NETWORK"
    assert len(hub.asked("/lfs/")) == 6
    assert "the next run begins this one anew" in answer["said"][-1]
    assert client.contents(name) == [FILES[CONFIG]] * 2


def test_an_interrupted_download_says_what_it_is_worth(
    hub: Any, name: str, tmp_path: Path, client: Any
) -> None:
    hub.repo(name, FILES)
    begun = []

    def stall(handler: Any) -> None:
        begun.append(handler)
        handler.reply(200, DATA[:100_000], length=NBYTES)
        time.sleep(30)

    hub.always("/lfs/", stall)
    patient = type(client)(hub.endpoint, tmp_path, HF_HUB_DOWNLOAD_TIMEOUT="30")
    patient.start("fetch", name)
    while not begun:
        time.sleep(0.01)
    time.sleep(0.2)
    patient.interrupt()
    answer = patient.answer()
    assert answer["error"]["name"] == "INTERRUPTED"
    assert "keeps no unfinished file" in answer["said"][-1]
    assert patient.contents(name) == [FILES[CONFIG]] * 2
    patient.close()


def test_a_file_of_another_size_than_promised(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    hub.always("/lfs/", lambda handler: handler.part_of(DATA[:-1]))
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert f"file should be of size {NBYTES} but has size {NBYTES - 1}" in error["what"]
    assert client.contents(name) == [FILES[CONFIG]] * 2


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
    hub.once("/api/models", lambda handler: handler.reply(200, json.dumps(body).encode()))
    error = client.fetch(name)["error"]
    assert error["name"] == "DISK"
    assert "HF_HOME" in error["remedy"]
    assert hub.file_bytes() == 0


def test_a_disk_that_fills_up_while_a_file_comes(hub: Any, client: Any, name: str) -> None:
    """As a limit on the size of files has it; with room again the file comes whole."""
    hub.repo(name, FILES)
    limits = resource.prlimit(client.process.pid, resource.RLIMIT_FSIZE)
    try:
        resource.prlimit(client.process.pid, resource.RLIMIT_FSIZE, (100_000, limits[1]))
        error = client.fetch(name)["error"]
    finally:
        resource.prlimit(client.process.pid, resource.RLIMIT_FSIZE, limits)
    assert error["name"] == "DISK" and "full" in error["what"]
    assert DATA not in client.contents(name)
    folder = Path(client.fetch(name)["result"]["folder"])
    assert (folder / BIN).read_bytes() == DATA
