"""PaddleMIX's own conversions: files at plain addresses, which manifests name.

Nobody publishes digests of them; what came is recorded in the conversion's provenance.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from ssl import SSLError
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from zoo import cache
from zoo.errors import NetworkError, NotFoundError, OfflineError, UsageError
from zoo.files import CHUNK, PARTIAL, as_zoo_error, check_space, locked
from zoo.hub.client import offline_switch
from zoo.manifest import Manifest
from zoo.spec import paddlemix, paddlemix_processor
from zoo.talk import Talk

WEIGHTS = "model_state.pdparams"
NEEDED = (paddlemix.CONFIG_NAME, WEIGHTS)
BESIDE = f"{paddlemix_processor.EVAL}/{paddlemix_processor.IMAGE_NAME}"
TIMEOUT = 30.0  # seconds without a byte
CONNECTION = "Check the connection and the proxy (HTTPS_PROXY), and run again."


def fetch_published(manifest: Manifest, talk: Talk) -> Path:
    """Brings PaddleMIX's conversion of a model here; what is here already stays.

    Args:
        manifest: the model's; its ``source.paddlemix`` is the weights' address.
        talk: where to say what happens.

    Returns:
        A folder as PaddleMIX has it.

    Raises:
        UsageError: the manifest names no such conversion.
        NotFoundError: a needed file is not at its address.
        OfflineError: the network is switched off, and a needed file is not here.
        NetworkError: the server refused, failed, or could not be reached.
        DiskError, AccessError: as the system says.
    """
    address = manifest.source.paddlemix
    if address is None:
        raise UsageError(f"PaddleMIX has no conversion of {manifest.id} that zoo knows")
    base = address.removesuffix(f"/{WEIGHTS}")
    folder = cache.home() / "published" / manifest.id
    with locked(folder, talk.say):
        for name in NEEDED:
            if not (folder / name).is_file() and not _download(base, name, folder, talk):
                raise NotFoundError("there is no such file", where=f"{base}/{name}")
        if not (folder / BESIDE).is_file() and offline_switch() is None:
            _download(base, BESIDE, folder, talk)
    return folder


def _download(base: str, name: str, folder: Path, talk: Talk) -> bool:
    """Whether the file is there, and now here."""
    address, path = f"{base}/{name}", folder / name
    switch = offline_switch()
    if switch is not None:
        raise OfflineError(
            f"{switch} keeps zoo off the network, and this file is not here",
            where=address,
            remedy=f"Unset {switch}, or put the file at {path}",
        )
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with _asked(address) as answer:
            if answer is None:
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            size = int(answer.headers.get("Content-Length") or 0)
            check_space(path.parent, size)
            talk.say(f"{name}: {size / 1e6:,.1f} MB from {address}")
            _save(answer, partial, size, talk)
            partial.replace(path)
    except (TimeoutError, ConnectionError, SSLError, HTTPException) as error:
        raise _broken(str(error) or type(error).__name__, address) from error
    except OSError as error:
        raise as_zoo_error(error, path) from error
    finally:
        partial.unlink(missing_ok=True)
    return True


@contextmanager
def _asked(address: str) -> Iterator[HTTPResponse | None]:
    """The server's answer; None where it has no such file."""
    try:
        answer = urlopen(Request(address), timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code != 404:
            raise _broken(f"{error.code} {error.reason}", address) from error
        answer = None
    except URLError as error:
        raise _broken(str(error.reason), address) from error
    if answer is None:
        yield None
        return
    with answer:
        yield answer


def _save(answer: HTTPResponse, path: Path, size: int, talk: Talk) -> None:
    done = 0
    with path.open("wb") as file, talk.progress("downloading", size, unit="B") as advance:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            advance(len(chunk))
    if done < size:
        raise TimeoutError(f"the connection ended after {done} of {size} bytes")


def _broken(what: str, address: str) -> NetworkError:
    return NetworkError(
        f"the download failed: {what}",
        where=address,
        remedy=f"{CONNECTION} A file that was not finished is begun anew.",
    )
