from __future__ import annotations

import hashlib
import json
import re

import pytest

from zoo import data

FOLDER = data.path("README.md").parent
ROW = re.compile(r"^\| `(?P<name>[^`]+)` \|.*\| `(?P<digest>[0-9a-f]{64})` \|$", re.MULTILINE)
DIGESTS = dict(ROW.findall(data.path("README.md").read_text(encoding="utf-8")))


def files() -> set[str]:
    return {
        path.relative_to(FOLDER).as_posix()
        for path in FOLDER.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name != "README.md"
    }


def test_every_file_has_a_row() -> None:
    assert files() - DIGESTS.keys() == set()


@pytest.mark.parametrize("name", DIGESTS)
def test_every_row_has_its_file(name: str) -> None:
    assert hashlib.sha256(data.path(name).read_bytes()).hexdigest() == DIGESTS[name]


def test_imagenet_prompts() -> None:
    names, templates = (
        json.loads(data.path(f"imagenet_{kind}.json").read_text(encoding="utf-8"))
        for kind in ("classes", "templates")
    )
    assert len(names) == 1000
    assert len(templates) == len(set(templates)) == 80
    assert all(template.count("{}") == 1 for template in templates)
    assert {name for name in names if names.count(name) > 1} == {"missile", "sunglasses"}
    assert names[207] == "Golden Retriever"
