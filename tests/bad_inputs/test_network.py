"""The hub on loopback does what it should not: one clear message, and nothing is kept for good."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.bad_inputs import rows
from tests.bad_inputs.checkpoint import CONFIG, WEIGHTS, good
from tests.bad_inputs.network import FAULTS, Fault
from tests.hub.loopback import Hub
from tests.hub.tls import serve_tls

pytestmark = pytest.mark.long  # processes of their own, and pauses between tries

REPO = "acme/model"
ROOT = Path(__file__).parents[2]


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    """A hub with one good repository."""
    hub = Hub()
    folder = good(tmp_path / "repository")
    hub.repo(REPO, {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)})
    Thread(target=hub.serve_forever, daemon=True).start()
    yield hub
    hub.shutdown()
    hub.server_close()


def convert(at: Path, endpoint: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "zoo", "convert", REPO, "--out", at / "out"],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(at),
            "ZOO_HOME": str(at / "zoo"),
            "HF_ENDPOINT": endpoint,
            "NO_PROXY": "*",
            **more,
        },
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
    )


def test_a_good_hub(hub: Hub, tmp_path: Path) -> None:
    ran = convert(tmp_path, hub.endpoint)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault(hub: Hub, tmp_path: Path, name: str) -> None:
    fault: Fault = FAULTS[name]
    size = (tmp_path / "repository" / WEIGHTS).stat().st_size
    hub.always(fault.part, lambda handler: fault.answer(handler, size))
    ran = convert(tmp_path, hub.endpoint)
    fault.check(ran.returncode, ran.stderr)
    assert not (tmp_path / "out").exists()
    hub.fault = lambda handler: False
    ran = convert(tmp_path, hub.endpoint)
    assert ran.returncode == 0, ran.stderr


def test_no_hub_at_all(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    ran = convert(tmp_path, f"http://127.0.0.1:{port}")
    rows.NO_HUB.check(ran.returncode, ran.stderr)


def test_no_dns(tmp_path: Path) -> None:
    ran = convert(tmp_path, "http://hub.invalid")  # RFC 6761: no such name will ever be
    rows.NO_NAME.check(ran.returncode, ran.stderr)


def test_a_dead_proxy(hub: Hub, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    proxy = f"http://127.0.0.1:{port}"
    ran = convert(tmp_path, "http://hub.invalid", HTTP_PROXY=proxy, HTTPS_PROXY=proxy, NO_PROXY="")
    rows.NO_PROXY.check(ran.returncode, ran.stderr)
    assert "refused" in ran.stderr


def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    hub = Hub()
    certificate = serve_tls(hub, tmp_path)
    folder = good(tmp_path / "repository")
    hub.repo(REPO, {name: (folder / name).read_bytes() for name in (CONFIG, WEIGHTS)})
    hub.storage = hub.storage.replace("http:", "https:")
    Thread(target=hub.serve_forever, daemon=True).start()
    endpoint = hub.endpoint.replace("http:", "https:")
    ran = convert(tmp_path, endpoint)
    rows.STRANGER.check(ran.returncode, ran.stderr)
    assert not hub.seen and not (tmp_path / "out").exists()
    ran = convert(tmp_path, endpoint, SSL_CERT_FILE=str(certificate))
    assert ran.returncode == 0, ran.stderr
    hub.shutdown()
    hub.server_close()
