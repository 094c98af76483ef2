"""What a hub, or whatever answers in its place, can do wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bad_inputs.case import Row

TITLE = "The network"
API, FILES = "/api/models", "/lfs/"


@dataclass(frozen=True, kw_only=True)
class Fault(Row):
    """A row that the loopback hub shows.

    Attributes:
        part: which requests are answered by ``answer``.
        answer: what is sent for them, by the request's handler and with the file's size.
    """

    part: str
    answer: Callable[[Any, int], object]


def _network(input: str, part: str, answer: Callable[[Any, int], object], *says: str) -> Fault:
    return Fault(input=input, part=part, answer=answer, code=6, name="NETWORK", says=says)


FAULTS = {
    "missing": Fault(
        input="a repository that does not exist, or that is private",
        part=API,
        answer=lambda handler, size: handler.refuse(401, "RepoNotFound"),
        code=6,
        name="NOTFOUND",
        says=("the hub shows no such repository", "HF_TOKEN"),
    ),
    "forbidden": _network(
        "status 403",
        FILES,
        lambda handler, size: handler.reply(403),
        "refused access (403)",
        "HF_TOKEN",
    ),
    "failing": _network(
        "status 503, again and again",
        API,
        lambda handler, size: handler.reply(503),
        "again in 1 s",
        "answered with status 503",
        "Run the command again later",
    ),
    "too-many": _network(
        "status 429 with an hour to wait",
        API,
        lambda handler, size: handler.reply(429, headers={"Retry-After": "3600"}),
        "the hub asks to wait",
    ),
    "redirect": _network(
        "a redirect to `file:///etc/passwd`",
        FILES,
        lambda handler, size: handler.reply(302, headers={"Location": "file:///etc/passwd"}),
        "sends us from http to file, where zoo does not follow",
    ),
    "portal": _network(
        "a web page in place of the hub, as some networks show",
        API,
        lambda handler, size: handler.reply(200, b"<html>log in</html>"),
        "the answer is not a hub's",
    ),
    "short": _network(
        "a file shorter than the hub has promised",
        FILES,
        lambda handler, size: handler.part_of(b"short"),
        "Consistency check failed",
    ),
    "length": _network(
        "a `Content-Length` of more bytes than come",
        FILES,
        lambda handler, size: handler.reply(200, bytes(size // 2), length=size),
        "Trying to resume download",
        "was not finished",
        "the hub can't be reached",
    ),
    "other": Fault(
        input="a file of the right size with other bytes",
        part=FILES,
        answer=lambda handler, size: handler.part_of(bytes(size)),
        code=5,
        name="DIGEST",
        says=("sha256",),
    ),
}
