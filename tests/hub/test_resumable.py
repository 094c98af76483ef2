"""A broken download goes on where it broke, and never with what does not belong to it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.hub.plain_server import DATA, HALF, WEIGHTS, Handler, Server, dropped, running
from zoo.errors import NetworkError
from zoo.hub.resumable import download
from zoo.talk import Silence, Talk

pytestmark = pytest.mark.usefixtures("impatience")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "into").mkdir()
    return tmp_path / "into" / "model_state.pdparams"


class Heard(Silence):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def once(fault: Callable[[Handler], bool]) -> Callable[[Handler], bool]:
    left = [fault]
    return lambda handler: handler.path == WEIGHTS and bool(left) and left.pop()(handler)


def fetch(server: Server, path: Path, talk: Talk | None = None) -> bool:
    return download(
        f"http://127.0.0.1:{server.server_port}{WEIGHTS}", path, talk or Silence(), elsewhere="X"
    )


def brought(server: Server, path: Path) -> tuple[bytes, str]:
    """The file as it came, and what was said."""
    heard = Heard()
    assert fetch(server, path, heard)
    assert list(path.parent.iterdir()) == [path], "nothing is left beside it"
    return path.read_bytes(), "\n".join(heard.said)


NAMES = ['"abc"', "Wed, 21 Oct 2015 07:28:00 GMT"]


@pytest.mark.parametrize("name", NAMES, ids=["etag", "date"])
def test_a_broken_connection_is_taken_up_where_it_broke(
    server: Server, path: Path, name: str
) -> None:
    server.name, server.fault = name, once(dropped)
    data, said = brought(server, path)
    assert data == DATA
    assert server.parts == [None, f"bytes={HALF}-"]
    assert "ended after 512.0 kB of 1.0 MB; again in" in said
    assert "going on at 512.0 kB of 1.0 MB" in said


@pytest.mark.parametrize("name", NAMES, ids=["etag", "date"])
def test_the_next_run_goes_on_too(server: Server, path: Path, name: str) -> None:
    server.name, server.fault = name, dropped
    with pytest.raises(NetworkError) as caught:
        fetch(server, path)
    assert "The next run goes on at 512.0 kB of 1.0 MB." in str(caught.value.remedy)
    assert not path.exists()
    server.parts.clear()
    server.fault = lambda handler: False
    data, said = brought(server, path)
    assert data == DATA and server.parts == [f"bytes={HALF}-"]
    assert "going on at 512.0 kB of 1.0 MB" in said


def interrupted(server: Server, path: Path) -> None:
    """As a run leaves it that broke off in the middle."""
    server.name, server.fault = '"abc"', dropped
    with pytest.raises(NetworkError):
        fetch(server, path)
    server.parts.clear()
    server.fault = lambda handler: False


def test_a_file_that_has_changed_is_begun_anew(server: Server, path: Path) -> None:
    interrupted(server, path)
    server.name, server.files[WEIGHTS] = '"def"', DATA[::-1]
    data, said = brought(server, path)
    assert data == DATA[::-1] and server.parts == [f"bytes={HALF}-"]
    assert "the file has changed; beginning anew" in said


@pytest.mark.parametrize("length", ["many", "-1", "\u00b2"])
def test_a_length_that_is_none_counts_as_unsaid(server: Server, path: Path, length: str) -> None:
    def answered(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(DATA)
        handler.close_connection = True
        return True

    server.fault = answered
    assert brought(server, path)[0] == DATA


def test_a_server_without_ranges_sends_it_all_again(server: Server, path: Path) -> None:
    interrupted(server, path)
    server.ranges = False
    data, said = brought(server, path)
    assert data == DATA
    assert "the server sends no parts; beginning anew" in said


@pytest.mark.parametrize("name", [None, 'W/"abc"'])
def test_a_server_that_does_not_tell_contents_apart(
    server: Server, path: Path, name: str | None
) -> None:
    server.name, server.fault = name, once(dropped)
    data, _ = brought(server, path)
    assert data == DATA and server.parts == [None, None]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Range": f"bytes 0-{len(DATA) - 1}/{len(DATA)}"}, DATA),
        ({"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/{len(DATA) + 1}"}, DATA[HALF:]),
        (
            {"Content-Range": f"bytes {HALF}-{len(DATA) - 1}/{len(DATA)}", "ETag": '"b"'},
            b"x" * HALF,
        ),
        ({}, DATA[HALF:]),
    ],
    ids=["another start", "another size", "another content", "no range"],
)
def test_another_part_than_asked_for_is_not_taken(
    server: Server, path: Path, headers: dict[str, str], body: bytes
) -> None:
    interrupted(server, path)

    def other(handler: Handler) -> bool:
        server.name = None if "ETag" in headers else server.name
        handler.reply(206, body, headers)
        server.name = '"abc"'
        return True

    server.fault = once(other)
    data, said = brought(server, path)
    assert data == DATA and server.parts == [f"bytes={HALF}-", None]
    assert "another part came than was asked for" in said


def test_a_part_beyond_the_file_is_given_up(server: Server, path: Path) -> None:
    interrupted(server, path)

    def beyond(handler: Handler) -> bool:
        handler.send_error(416)
        return True

    server.fault = once(beyond)
    data, _ = brought(server, path)
    assert data == DATA and server.parts == [f"bytes={HALF}-", None]


@pytest.mark.parametrize("damage", ["longer", "empty", "about", "address", "whole"])
def test_what_lies_there_from_before(server: Server, path: Path, damage: str) -> None:
    interrupted(server, path)
    partial = path.with_name(f".{path.name}.partial")
    about = partial.with_name(f"{partial.name}.json")
    if damage == "longer":
        partial.write_bytes(DATA + b"x")
    elif damage == "empty":
        partial.write_bytes(b"")
    elif damage == "about":
        about.write_text("{")
    elif damage == "address":
        about.write_text(about.read_text().replace("/m/", "/n/"))
    else:
        partial.write_bytes(DATA)
    assert brought(server, path)[0] == DATA
    assert server.parts == ([] if damage == "whole" else [None])


def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not(
    server: Server, path: Path
) -> None:
    def status(code: int) -> Callable[[Handler], bool]:
        def send(handler: Handler) -> bool:
            handler.send_error(code)
            return True

        return send

    server.fault = once(status(503))
    assert brought(server, path)[0] == DATA
    path.unlink()
    server.parts.clear()
    server.fault = once(status(403))
    with pytest.raises(NetworkError, match="403"):
        fetch(server, path)
    assert server.parts == [None]


def test_another_scheme_is_not_followed(server: Server, path: Path) -> None:
    for away in ("file:///etc/passwd", "ftp://127.0.0.1/x"):

        def redirect(handler: Handler, away: str = away) -> bool:
            handler.reply(302, b"", {"Location": away})
            return True

        server.fault = redirect
        with pytest.raises(NetworkError, match=away.partition(":")[0]):
            fetch(server, path)


def test_a_certificate_that_nobody_vouches_for(path: Path, tmp_path: Path) -> None:
    with running(tls=tmp_path) as server:
        address = f"https://127.0.0.1:{server.server_port}{WEIGHTS}"
        with pytest.raises(NetworkError, match="certificate is not to be trusted") as caught:
            download(address, path, Silence(), elsewhere="X")
        assert "SSL_CERT_FILE" in str(caught.value.remedy)
        assert not server.asked, "nothing was asked, and not again"


def test_a_name_that_nobody_knows_and_a_dead_proxy(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NetworkError, match=r"download failed: .*[Nn]ame"):
        download("http://server.invalid/x", path, Silence(), elsewhere="X")
    with running() as server:
        port = server.server_port
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    from urllib.request import build_opener

    monkeypatch.setattr("zoo.hub.resumable._OPENER", build_opener())
    with pytest.raises(NetworkError, match="refused") as caught:
        download("http://server.invalid/x", path, Silence(), elsewhere="X")
    assert "HTTPS_PROXY" in str(caught.value.remedy)
