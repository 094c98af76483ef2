"""A stream that goes on where it was: to the bit, wherever it stopped."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.train.data.files import write
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train.arguments import parse  # noqa: E402
from train.checkpoint import read_state  # noqa: E402
from train.data.parts import read_parts  # noqa: E402
from train.data.places import Place, Stream, find_stream  # noqa: E402
from train.data.records import Records  # noqa: E402
from train.data.samples import Inputs  # noqa: E402
from train.data.shards import Shards, read_shards  # noqa: E402
from train.data.stream import RecordDataset, StreamSample  # noqa: E402
from train.loop import train  # noqa: E402
from train.topology import Topology  # noqa: E402
from zoo.talk import Silence  # noqa: E402

KINDS = ("shards", "resampled", "parts")


@pytest.fixture(autouse=True)
def _draw_from_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("train.data.stream.SHUFFLED", 5)


@pytest.fixture
def source(shards: Path, parts: Path) -> Callable[[str], Records]:
    write(shards / "0002.tar", {"1.png": b"no", "1.txt": b"x"})  # a shard without a sample
    listed = read_parts(parts)
    listed.paths[2].write_bytes(b"broken\n" + listed.paths[2].read_bytes() + b"broken\n")

    def make(kind: str) -> Records:
        if kind == "parts":
            return listed
        return read_shards(f"{shards}/{{0000..0005}}.tar", resampled=kind == "resampled")

    return make


def begin(source: Records, ranks: int = 1, workers: int = 1) -> Stream:
    return find_stream(source, None, seed=7, done=0, ranks=ranks, workers=workers)


def take(source: Records, inputs: Inputs, found: Stream, count: int) -> list[StreamSample]:
    return [*islice(RecordDataset(source, inputs, found, rank=0, done=0), count)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_reader_goes_on_from_wherever_it_was(
    kind: str, source: Callable[[str], Records], inputs: Inputs
) -> None:
    records = source(kind)
    found = begin(records)
    whole = take(records, inputs, found, 60)  # more than two passes
    for stopped in range(59):
        place = Place(*whole[stopped].place.tolist())
        rest = take(records, inputs, Stream(began=0, order="", places=[[place]]), 59 - stopped)
        for expected, again in zip(whole[stopped + 1 :], rest, strict=True):
            for part, array in expected._asdict().items():
                np.testing.assert_array_equal(getattr(again, part), array, err_msg=part)


def test_files_that_are_through_are_not_read_again(
    source: Callable[[str], Records], inputs: Inputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = source("shards")
    place = Place(*take(records, inputs, begin(records), 18)[-1].place.tolist())
    order = next(records.passes([7, 0], 0, 1))
    through = {records.paths[file] for file in order[: place.file]}
    assert len(through) == 3
    read: list[Path] = []
    plain = Shards.records
    monkeypatch.setattr(
        Shards, "records", lambda self, path: read.append(path) or plain(self, path)
    )
    take(records, inputs, Stream(began=0, order="", places=[[place]]), 1)
    assert read and not through & set(read)


def test_another_number_of_readers_or_other_files_begin_anew(
    source: Callable[[str], Records], shards: Path
) -> None:
    records = source("shards")
    stored = begin(records, 2, 2)
    options: dict[str, Any] = {"seed": 7, "done": 5}
    assert find_stream(records, stored, ranks=2, workers=2, **options) is stored
    fewer = read_shards(f"{shards}/{{0000..0004}}.tar", resampled=False)
    for other, ranks, workers in (
        (records, 1, 2),
        (records, 2, 1),
        (records, 1, 4),
        (fewer, 2, 2),
        (source("resampled"), 2, 2),
    ):
        found = find_stream(other, stored, ranks=ranks, workers=workers, **options)
        assert (found.began, found.ranks, found.workers) == (5, ranks, workers)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_resumed_run_is_equal_to_the_bit(
    kind: str,
    workers: int,
    source: Callable[[str], Records],
    parts: Path,
    words: list[str],
    alone: Topology,
    tmp_path: Path,
    read_log: Callable[[Path], list[dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    source(kind)
    data = parts if kind == "parts" else f"{tmp_path}/{{0000..0005}}.tar"
    more = ["--dataset_resampled"] if kind == "resampled" else []
    argv = [*words, "--task_name", str(data), "--save_steps", "3", "--max_steps", "9", *more]
    argv += ["--dataloader_num_workers", str(workers)]

    def run(output: str, *more: str) -> Path:
        train(parse([*argv, "--output_dir", str(tmp_path / output), *more]), alone, argv, Silence())
        return tmp_path / output

    whole, again = run("whole"), run("again")
    for step in (6, 9):  # as if the run had been killed at step 3, when another worker was next
        shutil.rmtree(again / f"checkpoint-{step}")
    run("again", "--resume_from_checkpoint", "True")
    assert "anew" not in capsys.readouterr().err
    assert read_log(again) == read_log(whole)
    first, second = (
        load_file(folder / "checkpoint-9" / "model" / "model.safetensors")
        for folder in (again, whole)
    )
    for name, array in first.items():
        np.testing.assert_array_equal(second[name], array, err_msg=name)
    assert read_state(again / "checkpoint-9") == read_state(whole / "checkpoint-9")


def test_a_run_with_other_workers_says_that_the_stream_begins_anew(
    parts: Path, words: list[str], alone: Topology, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [*words, "--task_name", str(parts)]
    train(parse([*argv, "--max_steps", "1"]), alone, argv, Silence())
    assert "anew" not in capsys.readouterr().err
    more = ["--resume_from_checkpoint", "True", "--dataloader_num_workers", "2"]
    train(parse([*argv, *more, "--max_steps", "2"]), alone, argv, Silence())
    assert "the stream of samples begins anew, in another order" in capsys.readouterr().err
