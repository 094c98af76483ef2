"""Weight files: what the header and the first bytes tell."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

from safetensors.numpy import save

from tests.bad_inputs.case import Case
from tests.bad_inputs.checkpoint import WEIGHTS, entry, good, safetensors, tensors, with_file

TITLE = "Safetensors files"
FLOAT = bytes(4)


def _whole() -> bytes:
    return save(tensors(), {"format": "pt"})


def _header(document: object, body: bytes = FLOAT) -> bytes:
    return safetensors(document, body)


def _claims(at: Path, nbytes: int) -> None:
    """A sparse file whose header claims ``nbytes`` and is there, in zeros."""
    path = good(at / "in") / WEIGHTS
    with path.open("wb") as file:
        file.write(struct.pack("<Q", nbytes) + b"{")
        file.truncate(8 + nbytes)


CASES = {
    "empty": Case(
        input="an empty file",
        make=with_file(b""),
        code=4,
        name="FORMAT",
        says=("0 bytes", "cut short", WEIGHTS),
    ),
    "three-bytes": Case(
        input="a file of 3 bytes",
        make=with_file(b"\x10\0\0"),
        code=4,
        name="FORMAT",
        says=("3 bytes", "cut short"),
    ),
    "header-length": Case(
        input="a header length of 2^64 - 1",
        make=with_file(safetensors({}, length=2**64 - 1)),
        code=4,
        name="FORMAT",
        says=("claims 18446744073709551615 bytes", "at most 16777216"),
    ),
    "header-101-mb": Case(
        input="a header of 101 MB, which is all there",
        make=lambda at: _claims(at, 101_000_000),
        code=4,
        name="FORMAT",
        says=("claims 101000000 bytes",),
    ),
    "header-cut-off": Case(
        input="a header longer than the file",
        make=with_file(safetensors({}, length=1000)),
        code=4,
        name="TRUNCATED",
        says=("10 bytes", "1008 are needed"),
    ),
    "header-not-json": Case(
        input="a header that is not JSON",
        make=with_file(safetensors(b"{'a': 1}")),
        code=4,
        name="FORMAT",
        says=("header is not JSON", "at its byte 1"),
    ),
    "header-not-utf-8": Case(
        input="a header that is not UTF-8",
        make=with_file(safetensors(b'{"\xff": 1}')),
        code=4,
        name="FORMAT",
        says=("not UTF-8 at its byte 2",),
    ),
    "header-array": Case(
        input="a header that is a JSON array",
        make=with_file(safetensors([1, 2])),
        code=4,
        name="FORMAT",
        says=("no format that is read",),
    ),
    "header-deep": Case(
        input="a header nested 20,000 deep",
        make=with_file(safetensors(b'{"a":' + b"[" * 20_000 + b"]" * 20_000 + b"}")),
        code=4,
        name="FORMAT",
        says=("nested too deeply",),
    ),
    "header-digits": Case(
        input="a header with a number of 10,000 digits",
        make=with_file(safetensors(b'{"a":' + b"9" * 10_000 + b"}")),
        code=4,
        name="FORMAT",
        says=("a number that is too long",),
    ),
    "duplicate-key": Case(
        input="a header that names a tensor twice",
        make=with_file(
            safetensors(f'{{"a":{(e := json.dumps(entry(0, 4, [1])))},"a":{e}}}'.encode(), FLOAT)
        ),
        code=4,
        name="FORMAT",
        says=("the key 'a' appears twice",),
    ),
    "metadata": Case(
        input="`__metadata__` with a value that is no string",
        make=with_file(_header({"__metadata__": {"format": 1}, "a": entry(0, 4, [1])})),
        code=4,
        name="FORMAT",
        says=("__metadata__ is not a map of strings",),
    ),
    "cut-by-one": Case(
        input="weights cut short by 1 byte",
        make=with_file(lambda: _whole()[:-1]),
        code=4,
        name="TRUNCATED",
        says=("the file has", "its header says", "Download it again"),
    ),
    "cut-in-half": Case(
        input="weights cut short by half",
        make=with_file(lambda: _whole()[: len(_whole()) // 2]),
        code=4,
        name="TRUNCATED",
        says=("the file has", "its header says"),
    ),
    "trailing": Case(
        input="something behind the last tensor, such as another file",
        make=with_file(lambda: _whole() + b"PK\x03\x04"),
        code=4,
        name="FORMAT",
        says=("4 bytes follow the last tensor",),
    ),
    "hole": Case(
        input="a hole between two tensors",
        make=with_file(_header({"a": entry(0, 4, [1]), "b": entry(8, 12, [1])}, FLOAT * 3)),
        code=4,
        name="FORMAT",
        says=("tensor 'b' leaves a hole",),
    ),
    "overlap": Case(
        input="two tensors on the same bytes",
        make=with_file(_header({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, FLOAT * 3)),
        code=4,
        name="FORMAT",
        says=("tensor 'b' overlaps the tensor before it",),
    ),
    "reversed": Case(
        input="offsets that end before they begin",
        make=with_file(_header({"a": entry(4, 0, [1])})),
        code=4,
        name="FORMAT",
        says=("tensor 'a'", "not a range"),
    ),
    "wrong-size": Case(
        input="a shape that needs more bytes than the tensor has",
        make=with_file(_header({"a": entry(0, 4, [2])})),
        code=4,
        name="FORMAT",
        says=("tensor 'a' needs 8 bytes and has 4",),
    ),
    "huge-shape": Case(
        input="a shape of 2^62 x 2^62",
        make=with_file(_header({"a": entry(0, 4, [2**62, 2**62])})),
        code=4,
        name="FORMAT",
        says=("too large to be addressed",),
    ),
    "negative-shape": Case(
        input="a negative dimension",
        make=with_file(_header({"a": entry(0, 4, [-1])})),
        code=4,
        name="FORMAT",
        says=("tensor 'a'", "not a list of sizes"),
    ),
    "many-dimensions": Case(
        input="a tensor of 1,000 dimensions",
        make=with_file(_header({"a": entry(0, 4, [1] * 1000)})),
        code=4,
        name="FORMAT",
        says=("has 1000 dimensions",),
    ),
    "unknown-dtype": Case(
        input="a dtype that no tensor has",
        make=with_file(_header({"a": entry(0, 4, [1], "F31")})),
        code=4,
        name="FORMAT",
        says=("dtype 'F31', which is not read", "Read are"),
    ),
    "web-page": Case(
        input="a web page that was saved instead of the file",
        make=with_file(b"<!DOCTYPE html><html><title>404</title></html>"),
        code=4,
        name="FORMAT",
        says=("a web page",),
    ),
    "lfs-pointer": Case(
        input="a git LFS pointer instead of the file",
        make=with_file(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
        code=4,
        name="FORMAT",
        says=("a git LFS pointer",),
    ),
    "gzip": Case(
        input="a compressed file",
        make=with_file(lambda: gzip.compress(_whole(), 1)),
        code=4,
        name="FORMAT",
        says=("looks like gzip",),
    ),
    "no-tensors": Case(
        input="a file without tensors",
        make=with_file(_header({}, b"")),
        code=4,
        name="FORMAT",
        says=("no CLIP that zoo knows",),
    ),
}
