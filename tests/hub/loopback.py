"""A hub on loopback that speaks what huggingface_hub calls.

The hub's large files are on another host than its own (``localhost`` beside ``127.0.0.1``), as the
real one's are. What goes wrong is up to a test: ``hub.fault`` sees every request first.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

LARGE = (".safetensors", ".bin")


@dataclass
class Seen:
    """A request, and what was sent back."""

    method: str
    path: str
    range: str | None
    token: str | None
    status: int = 0
    sent: int = 0  # bytes of the body


@dataclass
class Repo:
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    main: str = ""
    gated: bool = False

    def commit(self, files: dict[str, bytes]) -> str:
        content = json.dumps({n: hashlib.sha1(d).hexdigest() for n, d in files.items()})
        self.main = hashlib.sha1(f"{len(self.commits)}{content}".encode()).hexdigest()
        self.commits[self.main] = files
        return self.main

    def at(self, revision: str) -> str | None:
        commit = self.main if revision == "main" else revision
        return commit if commit in self.commits else None


class Hub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.repos: dict[str, Repo] = {}
        self.seen: list[Seen] = []
        self.fault: Callable[[Handler], bool] = lambda handler: False
        self.endpoint = f"http://127.0.0.1:{self.server_port}"
        self.storage = f"http://localhost:{self.server_port}/lfs"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is nothing to print a traceback for."""

    def repo(self, name: str, files: dict[str, bytes]) -> Repo:
        self.repos[name] = repo = Repo()
        repo.commit(files)
        return repo

    def once(self, part: str, action: Callable[[Handler], None], *, times: int = 1) -> None:
        """Has the next requests for ``part`` answered by ``action``."""
        left = [times]

        def fault(handler: Handler) -> bool:
            if part not in handler.path or not left[0]:
                return False
            left[0] -= 1
            action(handler)
            return True

        self.fault = fault

    def always(self, part: str, action: Callable[[Handler], None]) -> None:
        self.once(part, action, times=-1)

    def file_bytes(self) -> int:
        """Bytes of files that were sent, listings left out."""
        return sum(seen.sent for seen in self.seen if not seen.path.startswith("/api/"))

    def asked(self, part: str) -> list[Seen]:
        return [seen for seen in self.seen if part in seen.path]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self.seen = Seen(
            self.command, self.path, self.headers["Range"], self.headers["Authorization"]
        )
        self.server.seen.append(self.seen)
        if self.server.fault(self):
            return
        path = unquote(urlsplit(self.path).path)
        if match := re.fullmatch(r"/api/models/([^/]+/[^/]+)/revision/(.+)", path):
            self.listing(*match.groups())
        elif match := re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            self.resolve(*match.groups())
        elif match := re.fullmatch(r"/lfs/([0-9a-f]{64})", path):
            self.large(match[1])
        else:
            self.reply(404)

    do_HEAD = do_GET

    def listing(self, name: str, revision: str) -> None:
        repo = self.server.repos.get(name)
        if repo is None:  # the hub does not tell a stranger a missing one from a private one
            return self.refuse(401, "RepoNotFound")
        commit = repo.at(revision)
        if commit is None:
            return self.refuse(404, "RevisionNotFound")
        siblings = [{"rfilename": file} for file in repo.commits[commit]]
        if "blobs" in parse_qs(urlsplit(self.path).query):
            siblings = [entry(file, data) for file, data in repo.commits[commit].items()]
        body = {"id": name, "modelId": name, "sha": commit, "siblings": siblings, "private": False}
        self.reply(200, json.dumps(body).encode())

    def resolve(self, name: str, revision: str, file: str) -> None:
        repo = self.server.repos[name]
        commit = repo.at(revision)
        if repo.gated and self.headers["Authorization"] != "Bearer hf_member":
            return self.refuse(403, "GatedRepo")
        if commit is None or file not in repo.commits[commit]:
            return self.refuse(404, "EntryNotFound")
        data = repo.commits[commit][file]
        headers = {"X-Repo-Commit": commit, "ETag": f'"{blob_id(data)}"'}
        if not file.endswith(LARGE):
            return self.reply(200, data, headers)
        headers |= {
            "X-Linked-ETag": f'"{sha256(data)}"',
            "X-Linked-Size": str(len(data)),
            "Location": f"{self.server.storage}/{sha256(data)}?signature=secret",
        }
        self.reply(302, headers=headers)

    def large(self, digest: str) -> None:
        files = (
            d for r in self.server.repos.values() for c in r.commits.values() for d in c.items()
        )
        data = next(d for n, d in files if hashlib.sha256(d).hexdigest() == digest)
        self.part_of(data)

    def part_of(self, data: bytes) -> None:
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or ""):
            start, end = int(match[1]), int(match[2] or len(data) - 1)
            headers = {"Content-Range": f"bytes {start}-{end}/{len(data)}"}
            return self.reply(206, data[start : end + 1], headers)
        self.reply(200, data, {"Accept-Ranges": "bytes"})

    def refuse(self, status: int, code: str) -> None:
        self.reply(status, b"{}", {"X-Error-Code": code})

    def reply(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        length: int | None = None,
    ) -> None:
        """Sends an answer; with another ``length`` than the body's, the connection then ends."""
        self.seen.status = status
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        if self.command == "GET":
            for start in range(0, len(body), 2**16):
                part = body[start : start + 2**16]
                self.seen.sent += len(part)  # before the client can have it, and ask for the count
                self.wfile.write(part)
        self.close_connection = length is not None


@cache
def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@cache
def blob_id(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def entry(file: str, data: bytes) -> dict[str, Any]:
    described: dict[str, Any] = {"rfilename": file, "size": len(data), "blobId": blob_id(data)}
    if file.endswith(LARGE):
        described["lfs"] = {"size": len(data), "sha256": sha256(data), "pointerSize": 134}
    return described
