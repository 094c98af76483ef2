"""Tars that come from outside."""

from __future__ import annotations

import tarfile
from pathlib import Path
from typing import BinaryIO

from zoo.errors import FormatError


def check_end(archive: tarfile.TarFile, file: BinaryIO, path: Path) -> None:
    """Whether a tar that has been read through has come to its end.

    tarfile takes a header that is damaged or cut off for the end.

    Raises:
        FormatError: it has not.
    """
    file.seek(archive.offset)
    if file.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise FormatError("this tar is damaged or cut off", where=path)
