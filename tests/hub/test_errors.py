"""What the hub says no to, and what goes wrong with it."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest

from zoo.convert.select import WEIGHTS
from zoo.spec.open_clip import CONFIG_NAME as CONFIG

SAFE, _, BIN = WEIGHTS["open_clip"]
FILES = {CONFIG: b'{"model_cfg": {}}', BIN: b"weights"}


def test_a_repository_that_is_not_there(hub: Any, client: Any) -> None:
    error = client.fetch("laion/CLIP-ViT-B-32-laion2B-s34B-b79")["error"]
    assert error["name"] == "NOTFOUND"
    assert "Did you mean: laion/CLIP-ViT-B-32-laion2B-s34B-b79K" in error["remedy"]
    assert "HF_TOKEN" in error["remedy"]


def test_a_revision_that_is_not_there(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    error = client.fetch(name, revision="v9")["error"]
    assert (error["name"], error["what"]) == ("NOTFOUND", "the repository has no such revision")
    assert error["where"].endswith("/revision/v9")


def test_a_repository_without_a_checkpoint(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, {"README.md": b"", BIN: b"other"})
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


def test_a_hub_in_trouble_is_asked_a_few_times(hub: Any, client: Any, name: str) -> None:
    hub.repo(name, FILES)
    hub.once("/api/models", lambda handler: handler.reply(503), times=3)
    assert client.fetch(name)["result"]
    hub.seen.clear()
    hub.always("/api/models", lambda handler: handler.reply(503))
    error = client.fetch(name)["error"]
    assert (error["name"], error["what"]) == ("NETWORK", "the hub answered with status 503")
    assert len(hub.seen) == 4


def test_too_many_requests_are_waited_out_for_as_long_as_that_is_short(
    hub: Any, client: Any, name: str
) -> None:
    hub.repo(name, FILES)
    hub.once("/api/models", lambda handler: handler.reply(429, headers={"Retry-After": "1"}))
    began = time.monotonic()
    assert client.fetch(name)["result"]
    assert time.monotonic() - began > 1

    hub.repo(f"{name}-2", FILES | {BIN: b"other"})

    def ask_to_wait(handler: Any) -> None:
        handler.reply(429, headers={"Retry-After": "3600", "RateLimit": '"resolvers";r=0;t=300'})

    for part in ("/api/models", "/lfs/"):
        hub.always(part, ask_to_wait)
        error = client.fetch(f"{name}-2")["error"]
        assert (error["name"], error["what"]) == ("NETWORK", "the hub asks to wait 300 s")
    for part in ("/api/models", "/lfs/"):
        hub.always(part, lambda handler: handler.reply(503, headers={"Retry-After": "3600"}))
        error = client.fetch(f"{name}-2")["error"]
        assert (error["name"], error["what"]) == ("NETWORK", "the hub asks to wait 3600 s")


def test_a_hub_that_does_not_answer(hub: Any, client: Any, name: str, tmp_path: Path) -> None:
    hub.repo(name, FILES)
    hub.always("/api/models", lambda handler: time.sleep(1.5))
    hasty = type(client)(hub.endpoint, tmp_path, HF_HUB_ETAG_TIMEOUT="1")
    error = hasty.fetch(name)["error"]
    hasty.close()
    assert error["name"] == "NETWORK"
    assert "timed out" in error["what"]
    assert len(hub.asked("/api/models")) == 4


@pytest.mark.parametrize("part", ["/api/models", "/lfs/"])
def test_another_scheme_is_not_followed(hub: Any, client: Any, name: str, part: str) -> None:
    hub.repo(name, FILES)
    away = {"Location": "file:///etc/passwd"}
    hub.always(part, lambda handler: handler.reply(302, headers=away))
    error = client.fetch(name)["error"]
    assert error["name"] == "NETWORK"
    assert "from http to file" in error["what"]


@pytest.mark.parametrize(
    "body", [b"<html>log in</html>", b"[]", b"{}", b'{"id": "x", "sha": "../x", "siblings": []}']
)
def test_what_is_no_hub(hub: Any, client: Any, name: str, body: bytes) -> None:
    hub.always("/api/models", lambda handler: handler.reply(200, body))
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
