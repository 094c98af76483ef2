"""Asking the hub, within bounds: how often, how long, and where it may send us."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import urljoin, urlsplit

from zoo.errors import NetworkError
from zoo.hub.errors import AGAIN, CONNECTION, plain, untrusted
from zoo.hub.listing import Listing, RepoFile, is_commit
from zoo.talk import Talk

T = TypeVar("T")

WAITS = (1.0, 2.0, 4.0)  # seconds between the tries of one request
PATIENCE = 60  # seconds; where the hub asks to wait longer, the user decides
TRANSIENT = {408, 429, 500, 502, 503, 504}
SWITCHES = ("ZOO_OFFLINE", "HF_HUB_OFFLINE")


def offline_switch() -> str | None:
    """The environment variable that keeps us off the network; None where none does."""
    from huggingface_hub import constants

    if os.environ.get(SWITCHES[0], "0") not in ("", "0"):
        return SWITCHES[0]
    return SWITCHES[1] if constants.is_offline_mode() else None


def list_repository(repo: str, revision: str, talk: Talk) -> Listing:
    """What the hub has at a revision: one request.

    Raises:
        NetworkError: what answers is not a hub.
        Exception: of huggingface_hub; see ``zoo.hub.errors``.
    """
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HFValidationError

    def ask() -> Listing:
        info = HfApi().model_info(
            repo,
            revision=revision,
            files_metadata=True,
            timeout=constants.HF_HUB_ETAG_TIMEOUT,
        )
        return _listing(info)

    try:
        return patiently(ask, talk)
    except HFValidationError:
        raise
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise NetworkError(
            f"the answer is not a hub's: {error}",
            where=constants.ENDPOINT,
            remedy=CONNECTION,
        ) from error


def _listing(info: Any) -> Listing:
    files = {
        entry.rfilename: RepoFile(
            size=int(entry.size), oid=entry.lfs.sha256 if entry.lfs else entry.blob_id
        )
        for entry in info.siblings
    }
    if not is_commit(info.sha) or not all(int(f.oid or "", 16) >= 0 for f in files.values()):
        raise ValueError("it names no commit, or a file by no digest")
    return Listing(commit=info.sha, files=files)


def patiently(ask: Callable[[], T], talk: Talk) -> T:
    """Calls ``ask`` again after failures that may pass, a few times, and says so."""
    from huggingface_hub.errors import HfHubHTTPError, HTTPError  # type: ignore[attr-defined]

    for wait in WAITS:
        try:
            return ask()
        except HTTPError as error:
            if untrusted(error):
                raise
            if isinstance(error, HfHubHTTPError):
                if error.response.status_code not in TRANSIENT:
                    raise
                wait = max(wait, _asked_to_wait(error.response))
            talk.say(f"the hub did not answer ({type(error).__name__}); again in {wait:.0f} s")
            time.sleep(wait)
    return ask()


@contextmanager
def guarded(talk: Talk) -> Iterator[None]:
    """Checks every answer on the way, and lets huggingface_hub say through ``talk`` what it logs.

    Raises:
        NetworkError: the hub sends us to another scheme, or asks to wait too long.
    """
    from huggingface_hub import get_session

    checks = get_session().event_hooks["response"]
    logger = logging.getLogger("huggingface_hub")
    handlers = logger.handlers
    checks.append(_check_answer)
    logger.handlers = [_Through(talk)]
    try:
        yield
    finally:
        logger.handlers = handlers
        checks.remove(_check_answer)


def _check_answer(response: Any) -> None:
    address = str(response.url)
    check_scheme(address, response.headers.get("Location", address))
    wait = _asked_to_wait(response)
    if wait > PATIENCE:
        raise NetworkError(f"the hub asks to wait {wait} s", where=address, remedy=AGAIN)


def check_scheme(address: str, location: str) -> None:
    """Whether a redirect may be followed: from https to https, from http to either.

    Raises:
        NetworkError: it leads elsewhere.
    """
    target = urljoin(address, location)
    schemes = urlsplit(address).scheme, urlsplit(target).scheme
    if schemes[1] not in (schemes[0], "https"):
        raise NetworkError(
            f"the server sends us from {schemes[0]} to {schemes[1]}, where zoo does not follow",
            where=target.partition("?")[0],
            remedy=CONNECTION,
        )


def _asked_to_wait(response: Any) -> int:
    """Seconds; huggingface_hub itself would wait however long it is told to."""
    from huggingface_hub.utils import parse_ratelimit_headers  # type: ignore[attr-defined]

    limit = parse_ratelimit_headers(response.headers)  # sent with every answer
    if response.status_code == 429 and limit and limit.remaining == 0:
        return limit.reset_in_seconds
    said = response.headers.get("Retry-After", "") if response.status_code in TRANSIENT else ""
    return int(said) if said.isdecimal() else 0


class _Through(logging.Handler):
    def __init__(self, talk: Talk) -> None:
        super().__init__()
        self._talk = talk

    def emit(self, record: logging.LogRecord) -> None:
        self._talk.say(plain(record.getMessage()))
