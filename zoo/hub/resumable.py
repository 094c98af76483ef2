"""One file from a plain address; what has come is kept, and a broken download goes on from there.

It lies in ``.NAME.partial``, and ``.NAME.partial.json`` says what it is a part of: the address, the
size, and the name that the server gives this content (a strong ETag, or else the time of its last
change). The rest is asked for on the condition that it is still that content (RFC 9110, 13.1.5 and
14.2). Where the server sends no parts, or another content, the file is begun anew, which is said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from ssl import SSLCertVerificationError
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

import msgspec

from zoo.errors import NetworkError, ZooError, as_zoo_error
from zoo.files import CHUNK, PARTIAL, check_space, write_atomic
from zoo.hub.client import TRANSIENT, WAITS, check_scheme
from zoo.hub.errors import CERTIFICATE, UnreachableError
from zoo.talk import Talk, shown_size

TIMEOUT = 30.0  # seconds without a byte
CONNECTION = "Check the connection and the proxy (HTTPS_PROXY), and run again."


class Content(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which content a part belongs to; ``name`` is the server's for it, None where it has none."""

    address: str
    size: int  # bytes; 0 where the server does not say
    name: str | None

    @property
    def resumable(self) -> bool:
        return bool(self.size and self.name)


class _Broken(Exception):
    """An attempt failed that may succeed when it is made again."""


class _Unreached(_Broken):
    """No connection came about."""


def download(address: str, path: Path, talk: Talk, *, elsewhere: str) -> bool:
    """Whether the file is there, and now here.

    Args:
        address: where it is.
        path: where it is to be.
        talk: progress.
        elsewhere: by what the user chooses another place, as ``check_space`` has it.

    Raises:
        NetworkError: the server refused, failed or sent what was not asked for, a few times where
            that may pass; or it could not be reached.
        DiskError, AccessError: as the system says.
    """
    part = _Part(path, address)
    for wait in (*WAITS, None):
        try:
            return _attempt(part, talk, elsewhere)
        except _Broken as error:
            if wait is None:
                kind = UnreachableError if isinstance(error, _Unreached) else NetworkError
                raise _failed(str(error), part, kind) from error
            talk.say(f"{path.name}: {error}; again in {wait:.0f} s")
            time.sleep(wait)
        except ZooError:
            raise
        except OSError as error:
            raise as_zoo_error(error, path) from error
        finally:
            part.drop_unless_resumable()
    raise AssertionError("the last wait is None")


class _Part:
    """What has come of a file so far."""

    def __init__(self, path: Path, address: str) -> None:
        self.path = path
        self.address = address
        self.partial = path.with_name(f".{path.name}{PARTIAL}")
        self._about = self.partial.with_name(f"{self.partial.name}.json")

    @property
    def done(self) -> int:
        return self.partial.stat().st_size if self.partial.is_file() else 0

    def content(self) -> Content | None:
        """What it is a part of; None where there is none of use, which is then removed."""
        try:
            found = msgspec.json.decode(self._about.read_bytes(), type=Content)
        except (OSError, msgspec.MsgspecError):
            found = None
        if found and found.address == self.address and 0 < self.done <= found.size:
            return found
        self.drop()
        return None

    def begin(self, content: Content) -> None:
        self.drop()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if content.resumable:
            write_atomic(self._about, msgspec.json.encode(content))

    def finish(self) -> None:
        self.partial.replace(self.path)
        self._about.unlink(missing_ok=True)

    def drop(self) -> None:
        self.partial.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def drop_unless_resumable(self) -> None:
        if not self._about.is_file():
            self.partial.unlink(missing_ok=True)


def _attempt(part: _Part, talk: Talk, elsewhere: str) -> bool:
    kept = part.content()
    if kept and part.done == kept.size:  # the process ended between the last byte and the rename
        part.finish()
        return True
    condition = {}
    if kept:
        condition = {"Range": f"bytes={part.done}-", "If-Range": str(kept.name)}
    with _asked(part, condition) as answer:
        if answer is None:
            return False
        content = _content(answer, part.address)
        if answer.status == 206:
            _check_part(answer, part, kept)
            content = kept or content
            talk.say(f"{part.path.name}: going on at {_share(part.done, content.size)}")
        else:
            if kept:
                why = "the server sends no parts" if content == kept else "the file has changed"
                talk.say(f"{part.path.name}: {why}; beginning anew")
            part.begin(content)
            talk.say(f"{part.path.name}: {shown_size(content.size)} from {part.address}")
        check_space(part.path.parent, content.size - part.done, elsewhere=elsewhere)
        _save(answer, part, content, talk)
    part.finish()
    return True


def _check_part(answer: HTTPResponse, part: _Part, kept: Content | None) -> None:
    """Whether it is the part that was asked for, of the content that was."""
    sent = answer.headers.get("Content-Range", "")
    asked = kept and f"bytes {part.done}-{kept.size - 1}/{kept.size}"
    if sent != asked or _name(answer.headers) not in (None, kept and kept.name):
        part.drop()
        raise _Broken(f"another part came than was asked for ({sent!r})")


def _save(answer: HTTPResponse, part: _Part, content: Content, talk: Talk) -> None:
    try:
        with (
            part.partial.open("ab") as file,
            talk.progress("downloading", content.size, unit="B") as advance,
        ):
            advance(part.done)
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                advance(len(chunk))
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from error
    if part.done < content.size:
        raise _Broken(f"the connection ended after {_share(part.done, content.size)}")


@contextmanager
def _asked(part: _Part, condition: dict[str, str]) -> Iterator[HTTPResponse | None]:
    """The server's answer; None where it has no such file."""
    headers = {"Accept-Encoding": "identity", **condition}
    try:
        answer = _OPENER.open(Request(part.address, headers=headers), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        said = f"status {error.code} {error.reason}"
        if error.code == 416:
            part.drop()
        if error.code == 416 or error.code in TRANSIENT:
            raise _Broken(said) from error
        if error.code != 404:
            raise _failed(said, part) from error
        answer = None
    except URLError as error:
        if isinstance(error.reason, SSLCertVerificationError):
            raise NetworkError(
                f"the server's certificate is not to be trusted: {error.reason}",
                where=part.address,
                remedy=CERTIFICATE,
            ) from error
        raise _Unreached(str(error.reason)) from error
    except (TimeoutError, ConnectionError, HTTPException) as error:
        raise _Broken(str(error) or type(error).__name__) from error
    if answer is None:
        yield None
        return
    with answer:
        yield answer


class _Redirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        check_scheme(req.full_url, newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = build_opener(_Redirects)


def _content(answer: HTTPResponse, address: str) -> Content:
    said = answer.headers.get("Content-Length", "")
    size = int(said) if said.isdecimal() else 0
    return Content(address=address, size=size, name=_name(answer.headers))


def _name(headers: HTTPMessage) -> str | None:
    """What may stand in If-Range: no weak ETag."""
    etag = headers.get("ETag")
    if etag is not None:
        return etag if re.fullmatch(r'"[^"]*"', etag) else None
    return headers.get("Last-Modified")


def _failed(what: str, part: _Part, kind: type[NetworkError] = NetworkError) -> NetworkError:
    if kept := part.content():
        worth = f"The next run goes on at {_share(part.done, kept.size)}."
    else:
        worth = "A file that was not finished is begun anew."
    return kind(f"the download failed: {what}", where=part.address, remedy=f"{CONNECTION} {worth}")


def _share(done: int, of: int) -> str:
    return f"{shown_size(done)} of {shown_size(of)}"
