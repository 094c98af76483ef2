"""A file on the hub, read in pieces by HTTP ranges: a few hundred kilobytes of many gigabytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from zoo.errors import NetworkError, TruncatedError
from zoo.hub.client import patiently
from zoo.talk import Talk

BLOCK = 2**18  # bytes; headers lie together, so one request brings the neighbours too
BUDGET = 2**24  # bytes of one file; the headers of the largest model take 0.3 MB


class RemoteFile:
    """Reads as MappedFile in ``zoo.convert.readers`` does.

    Args:
        address: where the hub has the file.
        size: in bytes, as the hub lists it.
        talk: where to say that a request is repeated.
    """

    def __init__(self, address: str, *, size: int, talk: Talk) -> None:
        self.address = address
        self.path = Path(address.rpartition("/")[2])
        self.size = size
        self.received = 0  # bytes
        self._talk = talk
        self._blocks: dict[int, bytes] = {}

    def view(self, offset: int, nbytes: int) -> memoryview:
        """``nbytes`` bytes from ``offset`` on.

        Raises:
            TruncatedError: the file ends before.
            NetworkError: the server sends no ranges, or this would be more than headers take.
        """
        end = offset + nbytes
        if end > self.size:
            raise TruncatedError(
                f"the file has {self.size} bytes, and at least {end} are needed", where=self.address
            )
        numbers = range(offset // BLOCK, -(-end // BLOCK))
        lacking = [number for number in numbers if number not in self._blocks]
        if lacking:
            self._receive(lacking[0], lacking[-1] + 1)
        data = b"".join(self._blocks[number] for number in numbers)
        start = offset - offset // BLOCK * BLOCK
        return memoryview(data)[start : start + nbytes]

    def close(self) -> None:
        """There is nothing to close: every request ends by itself."""

    def _receive(self, first: int, stop: int) -> None:
        start, end = first * BLOCK, min(stop * BLOCK, self.size)
        if self.received + end - start > BUDGET:
            raise NetworkError(
                f"its headers take more than {BUDGET // 2**20} MiB, and it is not read from afar",
                where=self.address,
                remedy="Download it to see what it holds: zoo convert",
            )
        data = patiently(lambda: self._ask(start, end), self._talk)
        self.received += len(data)
        for number in range(first, stop):
            at = number * BLOCK - start
            self._blocks[number] = data[at : at + BLOCK]

    def _ask(self, start: int, end: int) -> bytes:
        from huggingface_hub import constants, get_session
        from huggingface_hub.utils import (  # type: ignore[attr-defined]
            build_hf_headers,
            hf_raise_for_status,
        )

        wanted = {"Range": f"bytes={start}-{end - 1}", "Accept-Encoding": "identity"}
        with get_session().stream(
            "GET",
            self.address,
            headers=build_hf_headers() | wanted,
            follow_redirects=True,
            timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT,
        ) as response:
            hf_raise_for_status(response)
            _check_range(response, start, end, self.size)
            data = b""
            for chunk in response.iter_raw():
                data += chunk
                if len(data) > end - start:
                    break
        if len(data) != end - start:
            raise NetworkError(
                f"asked for {end - start} bytes, the server sent {len(data)}", where=self.address
            )
        return data


def _check_range(response: Any, start: int, end: int, size: int) -> None:
    """Before any of the body is read: a server without ranges would send the whole file."""
    if response.headers.get("Content-Range") != f"bytes {start}-{end - 1}/{size}":
        raise NetworkError(
            f"the server does not send parts of a file (status {response.status_code}); "
            "nothing of it was read",
            where=str(response.url).partition("?")[0],
            remedy="To see what it holds, download it whole: zoo convert",
        )
