"""A server of plain files on loopback: with names for contents, ranges, and faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from tests.hub.tls import serve_tls

WEIGHTS = "/m/model_state.pdparams"
DATA = bytes(range(256)) * 4000
HALF = len(DATA) // 2
FILES = {"/m/config.json": b"{}", WEIGHTS: DATA}


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = dict(FILES)
        self.name: str | None = None  # an ETag or a date, for every file
        self.ranges = True
        self.asked: list[str] = []
        self.parts: list[str | None] = []  # the ranges that were asked for, of weights
        self.fault: Callable[[Handler], bool] = lambda handler: False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to print a traceback for."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.path)
        if self.path == WEIGHTS:
            server.parts.append(self.headers["Range"])
        if server.fault(self):
            return
        data = server.files.get(self.path)
        if data is None:
            self.send_error(404)
        elif server.ranges and self.headers["Range"] and self.headers["If-Range"] == server.name:
            start = int(self.headers["Range"].removeprefix("bytes=").removesuffix("-"))
            where = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.reply(206, data[start:], {"Content-Range": where})
        else:
            self.reply(200, data)

    def reply(
        self,
        status: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        length: int | None = None,
    ) -> None:
        """Sends an answer; with another ``length`` than the body's, the line then goes dead."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        if name := self.server.name:
            self.send_header("ETag" if '"' in name else "Last-Modified", name)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def running(tls: Path | None = None) -> Iterator[Server]:
    """A server; ``tls`` is a folder for the certificate with which it speaks TLS."""
    with Server() as server:
        if tls is not None:
            serve_tls(server, tls)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def dropped(handler: Handler) -> bool:
    """Half of what was promised, then the line goes dead."""
    if handler.path != WEIGHTS:
        return False
    handler.reply(200, DATA[:HALF], length=len(DATA))
    return True
