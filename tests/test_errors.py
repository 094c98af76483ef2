from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from zoo import errors
from zoo.errors import LONGEST, AccessError, DiskError, ZooError, as_zoo_error, missing_library


def family(root: type[ZooError] = ZooError) -> list[type[ZooError]]:
    return [root, *(c for child in root.__subclasses__() for c in family(child))]


# The contract with scripts; docs/commands.md shows it to people.
CODES = {
    1: {"UNEXPECTED"},
    2: {"USAGE"},
    3: {"CHECK"},
    4: {
        *("INPUT", "FORMAT", "TRUNCATED", "CONFIG", "PATH", "NAME", "NONFINITE", "MAPPING"),
        "DATASET",
    },
    5: {"DIGEST", "SIGNATURE"},
    6: {"NOTFOUND", "OFFLINE", "NETWORK"},
    7: {"DISK", "PERMISSION", "LOCK"},
    8: {"NOTRUN"},
}


def test_exit_codes_and_names_are_the_contract_s() -> None:
    kinds = [kind for kind in family() if kind.__module__ == errors.__name__]
    assert len({kind.name for kind in kinds}) == len(kinds)
    assert {code: {k.name for k in kinds if k.exit_code == code} for code in CODES} == CODES


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ZooError("it broke"), "it broke"),
        (ZooError("it broke", where="a.bin"), "it broke (a.bin)"),
        (ZooError("it broke", where="a.bin", remedy="Mend it."), "it broke (a.bin)\nMend it."),
    ],
)
def test_the_text_says_what_where_and_what_to_do(error: ZooError, text: str) -> None:
    assert str(error) == text


def test_a_missing_library_names_the_extra_that_brings_it() -> None:
    error = missing_library("paddle", "cpu", "loading a model")
    assert error.exit_code == 6
    assert "paddle-clip-zoo[cpu]" in str(error)


@pytest.mark.parametrize(
    ("number", "kind", "said"),
    [
        (errno.EACCES, AccessError, "no permission"),
        (errno.EROFS, AccessError, "no permission"),
        (errno.ENOSPC, DiskError, "the disk is full"),
        (errno.EFBIG, DiskError, "the disk is full"),
        (errno.EIO, DiskError, "reading or writing failed"),
    ],
)
def test_the_system_s_refusals_have_names(number: int, kind: type[ZooError], said: str) -> None:
    error = as_zoo_error(OSError(number, os.strerror(number)), Path("x"))
    assert type(error) is kind
    assert said in error.what
    assert error.where == "x"


def test_a_file_s_megabytes_are_not_a_message() -> None:
    error = ZooError("x" * 4_000_000, where="config.json")
    assert len(str(error)) < 2 * LONGEST and "... (config.json)" in str(error)
