from __future__ import annotations

import gzip
import io
import tarfile

import pytest

from zoo.convert.readers.recognise import ACCEPTED, Kind, recognise
from zoo.errors import FormatError


def _tar() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("pytorch_model.bin"))
    return data.getvalue()


@pytest.mark.parametrize(
    ("format", "kind"),
    [
        ("safetensors", Kind.SAFETENSORS),
        ("torch-zip", Kind.ZIP),
        ("torch-legacy", Kind.TORCH_LEGACY),
    ],
)
def test_checkpoints(mapped, small_files, format, kind):
    assert recognise(mapped(small_files[format])) is kind


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b'{"weight_map": {}}', Kind.JSON),
        (b'\n  {\n "weight_map": {}}', Kind.JSON),
        (b'{"meta":{"a": 1}, "weight_map": {}}', Kind.JSON),  # its ninth byte is a brace
        (b'{"a":12}{"as": "long as a header of 123 bytes"}', Kind.JSON),
        (b"\xff" * 8 + b"{}", Kind.SAFETENSORS),  # a length that is refused later
        (b"\x80\x02\0\0\0\0\0\0{}", Kind.SAFETENSORS),  # 640, and how a pickle begins
        (b"{\0\0\0\0\0\0\0{}", Kind.SAFETENSORS),  # 123, and how JSON begins
    ],
)
def test_close_calls(mapped, content, kind):
    assert recognise(mapped(content)) is kind


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        (b"", "0 bytes; the download may have been cut short"),
        (b"abc", "3 bytes; the download"),
        (b"<!DOCTYPE html><html>Sign in</html>", "a web page"),
        (b"\n\n<html lang=en>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7\nsize 9\n", "a git LFS"),
        (gzip.compress(b"weights"), "gzip"),
        (_tar(), "a tar archive"),
        (b"\x89HDF\r\n\x1a\n\0\0\0", "HDF5"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "a numpy array"),
        (b"PK\x05\x06" + b"\0" * 18, "an empty zip archive"),
        (b"cposix\nsystem\np0\n(Vtrue\ntR.", "a pickle of protocol 0"),
        (b"Not Found: the revision\x1b[31m", r"plain text, beginning with 'Not Found.*\\x1b"),
        (b"[1, 2, 3, 4]", "plain text"),
        (b"Error 1:{the ninth byte is a brace}", "plain text"),
        (b"\0\1\2\3\4\5\6\7\x08", "no format that is read; .* 00 01 02 03 04 05 06 07"),
        (b"\x80\x07\0\0\0\0\0\0\0", "no format that is read"),
    ],
)
def test_what_something_else_looks_like(mapped, content, looks):
    with pytest.raises(FormatError, match=looks) as caught:
        recognise(mapped(content))
    assert caught.value.remedy == ACCEPTED
