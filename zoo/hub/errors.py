"""What huggingface_hub raises, said in zoo's words: what happened, where, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from ssl import SSLCertVerificationError

from zoo.errors import (
    NameInvalidError,
    NetworkError,
    NotFoundError,
    OfflineError,
    ZooError,
    as_zoo_error,
)
from zoo.manifest import registry

TOKEN = "Check HF_TOKEN, or run: hf auth login"
AGAIN = "Run the command again later. Files that were fetched whole are kept."
CERTIFICATE = (
    "If a proxy here has a certificate of its own, name the file of whoever signs it: "
    "SSL_CERT_FILE. Otherwise somebody may stand between you and the server."
)
NO_CONNECTION = {"ConnectError", "ConnectTimeout", "ProxyError"}  # of httpx, and of httpx2
CONNECTION = "Check the connection, the proxy (HTTPS_PROXY) and HF_ENDPOINT, and run again."


class UnreachableError(NetworkError):
    """No connection came about, so that trying the same server for something else is in vain."""


@contextmanager
def hub_errors(repo: str) -> Iterator[None]:
    """Turns what huggingface_hub raises into the family of zoo.errors.

    Raises:
        NotFoundError: no such repository, revision or file.
        NetworkError: the hub refused, failed, or could not be reached.
        NameInvalidError: the hub knows no names like this one.
        OfflineError: huggingface_hub is switched off the network.
        DiskError, AccessError: writing to the hub's cache failed.
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        translated = _translated(error, repo)
        if translated is None:
            raise
        raise translated from error


def _translated(error: BaseException, repo: str) -> ZooError | None:
    from huggingface_hub import constants, errors

    # "not found in the cache": the reason is why the hub could not be asked
    if isinstance(error, errors.LocalEntryNotFoundError) and error.__cause__ is not None:
        return _translated(error.__cause__, repo)
    where = f"{constants.ENDPOINT}/{repo}"
    match error:
        case errors.HFValidationError():
            return NameInvalidError(f"the hub has no names like {repo!r}", remedy=str(error))
        case errors.OfflineModeIsEnabled():
            return OfflineError("huggingface_hub is offline", where=where)
        case errors.GatedRepoError():
            return NetworkError(
                "this repository is open only to accounts that have accepted its licence",
                where=where,
                remedy=f"Accept it at {where}, then set HF_TOKEN, or run: hf auth login",
            )
        case errors.RepositoryNotFoundError():
            return _no_repository(repo, where)
        case errors.RevisionNotFoundError():
            where = plain(str(error.response.url))
            return NotFoundError("the repository has no such revision", where=where)
        case errors.RemoteEntryNotFoundError():
            where = plain(str(error.response.url))
            return NotFoundError("the repository has no such file", where=where)
        case errors.HfHubHTTPError():
            return _refused(error.response.status_code, plain(str(error.response.url)))
        case _ if untrusted(error):
            return NetworkError(
                f"the hub's certificate is not to be trusted: {plain(str(error))}",
                where=where,
                remedy=CERTIFICATE,
            )
        case errors.HTTPError():  # type: ignore[attr-defined]  # httpx's, or httpx2's since 2.0
            said = plain(str(error)) or type(error).__name__
            kind = UnreachableError if type(error).__name__ in NO_CONNECTION else NetworkError
            return kind(f"the hub can't be reached: {said}", where=where, remedy=CONNECTION)
        case OSError(errno=None):  # sizes that don't agree, answers without what the hub sends
            return NetworkError(plain(str(error)).splitlines()[0], where=where, remedy=AGAIN)
        case OSError():
            return as_zoo_error(error, Path(constants.HF_HUB_CACHE))
    return None


def untrusted(error: BaseException | None) -> bool:
    """Whether a certificate was refused, which trying again does not change."""
    while error is not None and not isinstance(error, SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None


def no_checkpoint(repo: str, commit: str, lacking: str) -> NotFoundError:
    """The error for a repository that holds no checkpoint, or only a part of one."""
    return NotFoundError(
        f"the repository lacks {lacking}",
        where=f"{repo} at {commit}",
        remedy="To convert weights without a configuration, download the file and run: "
        "zoo convert ./FILE --arch NAME",
    )


def _no_repository(repo: str, where: str) -> NotFoundError:
    near = get_close_matches(repo, registry().names)
    guess = f"Did you mean: {', '.join(near)}\n" if near else ""
    return NotFoundError(
        "the hub shows no such repository",
        where=where,
        remedy=f"{guess}A private one needs a token that may read it. {TOKEN}",
    )


def _refused(status: int, address: str) -> NetworkError:
    if status in (401, 403):
        return NetworkError(f"the hub refused access ({status})", where=address, remedy=TOKEN)
    if status == 429:
        what = "the hub has had too many requests from here (429)"
        return NetworkError(what, where=address, remedy=f"{AGAIN} A token raises the limit.")
    return NetworkError(f"the hub answered with status {status}", where=address, remedy=AGAIN)


def plain(text: str) -> str:
    """Text without the query of an address: it may hold a signature that lets in whoever has it."""
    return " ".join(word.partition("?")[0] if "://" in word else word for word in text.split(" "))
