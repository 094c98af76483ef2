from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from zoo.errors import NetworkError
from zoo.hub.client import _check_answer


def answer(address: str, location: str) -> SimpleNamespace:
    return SimpleNamespace(url=address, status_code=302, headers={"Location": location})


@pytest.mark.parametrize("location", ["http://cdn/x", "file:///etc/passwd", "HTTP://cdn/x"])
def test_no_way_leads_out_of_https(location: str) -> None:
    with pytest.raises(NetworkError, match="from https to"):
        _check_answer(answer("https://hub/x", location))


@pytest.mark.parametrize("location", ["/there", "https://cdn/x?signature=1", "//cdn/x"])
def test_within_https_it_goes_anywhere(location: str) -> None:
    _check_answer(answer("https://hub/x", location))


def test_from_http_to_https_is_no_loss() -> None:
    _check_answer(answer("http://mirror/x", "https://cdn/x"))


def test_the_client_is_imported_only_to_be_used() -> None:
    code = "import zoo.hub.download, zoo.hub.remote, sys; print('huggingface_hub' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "False\n"
