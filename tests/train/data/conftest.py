"""Streams of 24 samples, and what makes arrays of them."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.train.data.files import line, picture, write
from zoo.runtime import import_paddle

import_paddle()

from train.data.samples import Inputs  # noqa: E402
from zoo.inputs.preprocess import Preprocess  # noqa: E402
from zoo.inputs.tokenizer import Tokenizer  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402

FILES, EACH = 6, 4


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """Six shards of four samples, "0 0" to "5 3"."""
    for shard in range(FILES):
        members = {}
        for number in range(EACH):
            members[f"a/{number}.PNG"] = picture()
            members[f"a/{number}.txt"] = f"{shard} {number}".encode()
            members[f"a/{number}.json"] = b"{}"
        write(tmp_path / f"{shard:04}.tar", members)
    return tmp_path


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Four parts of six lines, "0 0" to "3 5"; the second is packed."""
    paths = []
    for part in range(4):
        data = b"".join(line(f"{part} {number}") for number in range(6))
        path = tmp_path / f"part-{part:05}{'.gz' if part == 1 else ''}"
        path.write_bytes(gzip.compress(data) if part == 1 else data)
        paths.append(path)
    (tmp_path / "laion.filelist").write_text("".join(f"{path}\n" for path in paths) + "\n")
    return tmp_path / "laion.filelist"


@pytest.fixture
def inputs(spec: CLIPSpec) -> Inputs:
    return Inputs(preprocess=Preprocess(spec.preprocess), tokenizer=Tokenizer(9), seed=7)
