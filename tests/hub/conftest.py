"""A hub and a server of plain files on loopback, and processes that fetch from the hub."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.hub.loopback import Hub
from tests.hub.plain_server import Server, running
from tests.hub.process import Client


@pytest.fixture(scope="session")
def running_hub() -> Iterator[Hub]:
    hub = Hub()
    thread = Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    yield hub
    hub.shutdown()
    hub.server_close()


@pytest.fixture
def hub(running_hub: Hub) -> Hub:
    """A hub without repositories, to which nothing was sent yet, and at which nothing fails."""
    running_hub.repos.clear()
    running_hub.seen.clear()
    running_hub.fault = lambda handler: False
    return running_hub


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def client(running_hub: Hub, home: Path) -> Iterator[Client]:
    """One process for all tests: each has its own repository, and so its own part of the cache."""
    client = Client(running_hub.endpoint, home)
    yield client
    client.close()


@pytest.fixture(scope="session")
def offline(running_hub: Hub, home: Path) -> Iterator[Client]:
    """A process on the same cache that is off the network."""
    client = Client(running_hub.endpoint, home, HF_HUB_OFFLINE="1")
    yield client
    client.close()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository's name that no other test uses."""
    return "zoo/" + re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).strip("-")[:80]


@pytest.fixture
def impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that broke is taken up again at once."""
    monkeypatch.setattr("zoo.hub.resumable.WAITS", (0.01, 0.01))


@pytest.fixture
def server() -> Iterator[Server]:
    """A server of plain files, at which nothing fails."""
    with running() as server:
        yield server
