"""A zip archive's directory: where each record's bytes lie.

The standard library's zipfile makes objects of a hostile directory whatever its size, and takes
what torch.save never writes. The format: https://pkware.cachefly.net/webdocs/APPNOTE/APPNOTE-6.3.9.TXT
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from zoo.convert.readers.layout import Extent, shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import FormatError, TruncatedError

MAX_DIRECTORY = 16 * 2**20  # bytes; a training checkpoint of 3,000 tensors takes 0.25 MB

END = struct.Struct("<4s4H2LH")  # disks, entries, size and offset of the directory, comment
END64_LOCATOR = struct.Struct("<4sLQL")
END64 = struct.Struct("<4sQ2H2L4Q")
ENTRY = struct.Struct("<4s6H3L5H2L")
LOCAL = struct.Struct("<4s5H3L2H")
ZIP64_EXTRA = 1
FULL = 0xFFFFFFFF  # the value is in the zip64 extra field
ENCRYPTED = 1


class Record(NamedTuple):
    """An entry of the directory."""

    header: int  # offset of the local header in the file
    nbytes: int
    plain: bool  # neither compressed nor encrypted


class ZipDirectory:
    """The records of a zip archive, by name.

    Raises:
        FormatError: the directory is not what the format demands.
        TruncatedError: it is not at the file's end.
    """

    def __init__(self, file: MappedFile) -> None:
        self._file = file
        self._start, size = _directory(file)
        self.records = _records(file.view(self._start, size))

    def extent(self, name: bytes) -> Extent:
        """Where a record's bytes lie.

        Raises:
            FormatError: there is no such record, it is compressed or encrypted, or the bytes
                before it are not its own header.
        """
        record = self.records.get(name)
        label = shown(name.decode("utf-8", "replace"))
        if record is None:
            raise FormatError(f"the archive has no record {label}")
        if not record.plain:
            raise FormatError(
                f"the record {label} is compressed or encrypted; torch.save does neither",
                remedy="Unpack the archive, and save the tensors again with torch.save.",
            )
        header = self._file.view(record.header, LOCAL.size)
        signature, *_, name_size, extra_size = LOCAL.unpack(header)
        own_name = self._file.view(record.header + LOCAL.size, name_size)
        if signature != b"PK\x03\x04" or own_name != name:
            raise FormatError(f"the record {label} is not where the archive's directory says")
        offset = record.header + LOCAL.size + name_size + extra_size
        if offset + record.nbytes > self._start:
            raise FormatError(f"the record {label} reaches into the archive's directory")
        return Extent(offset, record.nbytes)


def _directory(file: MappedFile) -> tuple[int, int]:
    """Offset and size of the directory."""
    end = file.size - END.size
    signature, *_, size, offset, _ = END.unpack(file.view(max(end, 0), END.size))
    if signature != b"PK\x05\x06":
        raise _no_directory(file)
    end64 = end - END64_LOCATOR.size
    if end64 >= 0:
        locator, _, at, _ = END64_LOCATOR.unpack(file.view(end64, END64_LOCATOR.size))
        if locator == b"PK\x06\x07":
            signature, *_, size, offset = END64.unpack(file.view(at, END64.size))
            if signature != b"PK\x06\x06":
                raise FormatError("the archive's zip64 directory is not where it should be")
            end = at
    if size > MAX_DIRECTORY:
        raise FormatError(f"the archive's directory claims {size} bytes")
    if offset + size != end:
        raise FormatError("the archive's directory does not end where its end record begins")
    return offset, size


def _no_directory(file: MappedFile) -> FormatError | TruncatedError:
    length = min(file.size, END.size + 0xFFFF)
    tail = bytes(file.view(file.size - length, length))
    at = tail.rfind(b"PK\x05\x06")
    if 0 <= at <= length - END.size:
        return FormatError("something follows the archive's directory")
    return TruncatedError(
        "the archive's directory, which stands at its end, is missing",
        remedy="Download it again.",
    )


def _records(directory: memoryview) -> dict[bytes, Record]:
    records: dict[bytes, Record] = {}
    at = 0
    while at < len(directory):
        if len(directory) - at < ENTRY.size:
            raise FormatError("the archive's directory ends within an entry")
        entry = ENTRY.unpack_from(directory, at)
        signature, _, _, flags, method, _, _, _, packed, size, *lengths, _, _, _, header = entry
        name_size, extra_size, comment_size = lengths
        at += ENTRY.size
        name = bytes(directory[at : at + name_size])
        extra = directory[at + name_size : at + name_size + extra_size]
        at += name_size + extra_size + comment_size
        if signature != b"PK\x01\x02" or at > len(directory):
            raise FormatError("the archive's directory is damaged")
        if name in records:
            label = shown(name.decode("utf-8", "replace"))
            raise FormatError(f"the archive has the record {label} twice")
        size, packed, header = _zip64(extra, size, packed, header)
        plain = method == 0 and not flags & ENCRYPTED and packed == size
        records[name] = Record(header, size, plain)
    return records


def _zip64(extra: memoryview, *values: int) -> list[int]:
    """Replaces the values that were too large for 32 bits by those of the extra field."""
    large: list[int] = []
    while len(extra) >= 4:
        kind, size = struct.unpack("<2H", extra[:4])
        if kind == ZIP64_EXTRA:
            field = extra[4 : 4 + size]
            large = [n for (n,) in struct.iter_unpack("<Q", field[: len(field) // 8 * 8])]
        extra = extra[4 + size :]
    if len(large) < values.count(FULL):
        raise FormatError("the archive's directory lacks a size or an offset")
    return [large.pop(0) if value == FULL else value for value in values]
