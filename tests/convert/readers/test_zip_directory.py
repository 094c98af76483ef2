"""Directories against the standard library's zipfile, and every way they can be wrong."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zoo.convert.readers import zip_directory
from zoo.convert.readers.zip_directory import ZipDirectory
from zoo.errors import FormatError, TruncatedError, ZooError

RECORDS = {"archive/data.pkl": b"pickle", "archive/data/0": b"0123", "archive/empty": b""}
END = 22  # bytes


@given(
    records=st.dictionaries(
        st.text("ab/ö", min_size=1, max_size=5), st.binary(max_size=20), max_size=4
    ),
    zip64=st.booleans(),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_finds_what_zipfile_wrote(mapped, records, zip64):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in records.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=zip64) as record:
                record.write(content)
    file = mapped(data.getvalue())
    directory = ZipDirectory(file)
    assert list(directory.records) == [name.encode() for name in records]
    for name, content in records.items():
        extent = directory.extent(name.encode())
        assert file.view(extent.offset, extent.nbytes) == content


def _zip64(plain: bytes) -> bytes:
    """The same archive with every size and offset in zip64's fields, as for more than 4 GiB."""
    *_, entries, _, start, _ = struct.unpack("<4s4H2LH", plain[-END:])
    directory = b""
    at = start
    for _ in range(entries):
        fields = list(struct.unpack_from("<4s6H3L5H2L", plain, at))
        name = plain[at + 46 : at + 46 + fields[10]]
        at += 46 + fields[10]
        values = struct.pack("<3Q", fields[9], fields[8], fields[16])
        fields[8] = fields[9] = fields[16] = 0xFFFFFFFF
        fields[11] = 3 * (4 + len(values))
        other = struct.pack("<2H", 0x6375, len(values)) + b"x" * len(values)
        extra = other + struct.pack("<2H", 1, len(values)) + values + other
        directory += struct.pack("<4s6H3L5H2L", *fields) + name + extra
    at = start + len(directory)
    end = struct.pack(
        "<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, entries, entries, len(directory), start
    )
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, at, 1)
    old = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    return plain[:start] + directory + end + locator + old


def test_zip64(build, mapped):
    data = _zip64(build.archive(RECORDS))
    assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    file = mapped(data)
    directory = ZipDirectory(file)
    for name, content in RECORDS.items():
        extent = directory.extent(name.encode())
        assert file.view(extent.offset, extent.nbytes) == content


def _edited(archive: bytes, at: int, content: bytes) -> bytes:
    at %= len(archive)
    return archive[:at] + content + archive[at + len(content) :]


def test_something_behind_or_before(build, mapped):
    plain = build.archive(RECORDS)
    with pytest.raises(FormatError, match="follows"):
        ZipDirectory(mapped(plain + b"x"))
    with pytest.raises(FormatError, match="follows"):
        ZipDirectory(mapped(plain[:-2] + b"\5\0hello"))
    with pytest.raises(FormatError, match="does not end where"):
        ZipDirectory(mapped(b"PK\x03\x04" + plain))


def test_every_truncation(build, mapped):
    plain = build.archive(RECORDS)
    for size in range(len(plain)):
        with pytest.raises(TruncatedError):
            ZipDirectory(mapped(plain[:size]))


def test_every_changed_byte_of_the_directory_is_survived(build, mapped):
    for plain in (build.archive(RECORDS), _zip64(build.archive(RECORDS))):
        start = plain.index(b"PK\x01\x02")
        for at in range(start, len(plain)):
            for value in (plain[at] ^ 1, 0xFF):
                try:
                    directory = ZipDirectory(mapped(_edited(plain, at, bytes([value]))))
                    for name in directory.records:
                        directory.extent(name)
                except ZooError:
                    pass


def test_a_record_twice(build, mapped):
    with pytest.warns(UserWarning, match="Duplicate"):
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w") as archive:
            archive.writestr("a", b"1")
            archive.writestr("a", b"2")
    with pytest.raises(FormatError, match="'a' twice"):
        ZipDirectory(mapped(data.getvalue()))


def test_a_record_that_is_not_there(build, mapped):
    with pytest.raises(FormatError, match="no record 'b'"):
        ZipDirectory(mapped(build.archive({"a": b""}))).extent(b"b")


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed(build, mapped, method):
    bomb = build.archive({"a": b"\0" * 10**6}, compression=method)
    with pytest.raises(FormatError, match="'a' is compressed"):
        ZipDirectory(mapped(bomb)).extent(b"a")


def test_encrypted(build, mapped):
    plain = build.archive({"a": b"1"})
    flags = plain.index(b"PK\x01\x02") + 8
    with pytest.raises(FormatError, match="encrypted"):
        ZipDirectory(mapped(_edited(plain, flags, b"\1"))).extent(b"a")


def test_a_method_of_compression_that_saves_nothing(build, mapped):
    plain = build.archive({"a": b"1"})
    method = plain.index(b"PK\x01\x02") + 10
    with pytest.raises(FormatError, match="compressed"):
        ZipDirectory(mapped(_edited(plain, method, b"\x08"))).extent(b"a")


@pytest.mark.parametrize(
    ("at", "content"),
    [
        (0, b"QK"),  # another signature
        (28, b"\xff\xff"),  # a name longer than the directory
        (30, b"\xff\xff"),  # an extra field longer than the directory
    ],
)
def test_a_damaged_entry(build, mapped, at, content):
    plain = build.archive({"a": b"1"})
    entry = plain.index(b"PK\x01\x02")
    with pytest.raises(FormatError, match="is damaged"):
        ZipDirectory(mapped(_edited(plain, entry + at, content)))


def test_zip64_without_its_directory(build, mapped):
    data = _zip64(build.archive(RECORDS))
    with pytest.raises(FormatError, match="zip64 directory is not where"):
        ZipDirectory(mapped(_edited(data, data.index(b"PK\x06\x06"), b"QK")))


def test_the_packed_size_lies(build, mapped):
    plain = build.archive({"a": b"1"})
    packed = plain.index(b"PK\x01\x02") + 20
    with pytest.raises(FormatError):
        ZipDirectory(mapped(_edited(plain, packed, b"\2"))).extent(b"a")


def test_a_local_header_of_another_name(build, mapped):
    plain = build.archive({"a": b"1"})
    with pytest.raises(FormatError, match="not where"):
        ZipDirectory(mapped(_edited(plain, 30, b"b"))).extent(b"a")
    with pytest.raises(FormatError, match="not where"):
        ZipDirectory(mapped(_edited(plain, 0, b"QK"))).extent(b"a")


def test_a_record_that_reaches_into_the_directory(build, mapped):
    plain = build.archive({"a": b"1"})
    sizes = plain.index(b"PK\x01\x02") + 20
    with pytest.raises(FormatError, match="reaches"):
        ZipDirectory(mapped(_edited(plain, sizes, struct.pack("<2L", 2, 2)))).extent(b"a")


def test_a_directory_too_large(build, mapped, monkeypatch):
    monkeypatch.setattr(zip_directory, "MAX_DIRECTORY", 100)
    with pytest.raises(FormatError, match="claims"):
        ZipDirectory(mapped(build.archive(RECORDS)))
