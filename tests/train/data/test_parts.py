"""LAION's part files: what a line is, who reads which, and what is left out."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from tests.train.data.files import line  # noqa: E402
from train.arguments import parse  # noqa: E402
from train.data.bad import BadSamples  # noqa: E402
from train.data.find import find_data  # noqa: E402
from train.data.parts import Parts, read_line, read_parts  # noqa: E402
from train.data.places import find_stream  # noqa: E402
from train.data.samples import Inputs  # noqa: E402
from train.data.stream import RecordDataset, stream  # noqa: E402
from train.flags import Arguments  # noqa: E402
from train.loop import train  # noqa: E402
from train.topology import Topology  # noqa: E402
from zoo.errors import DatasetError, FormatError, NotFoundError, UsageError  # noqa: E402
from zoo.inputs.tokenizer import Tokenizer  # noqa: E402
from zoo.talk import Silence  # noqa: E402


def captions(dataset: RecordDataset, count: int) -> list[str]:
    ids = [sample.tokens for sample in islice(dataset, count)]
    return [Tokenizer().decode(row[1 : row.argmax()]).strip() for row in ids]


def dataset(
    parts: Parts, inputs: Inputs, rank: int = 0, ranks: int = 1, workers: int = 1, done: int = 0
) -> RecordDataset:
    found = find_stream(parts, None, seed=7, done=done, ranks=ranks, workers=workers)
    return RecordDataset(parts, inputs, found, rank=rank, done=done)


def test_a_line_is_a_caption_and_a_picture() -> None:
    caption, image = read_line(line("a cat", key="blip_caption_en"))
    assert (caption, image.size) == ("a cat", (20, 20))
    assert read_line(line("猫").decode().encode("gb18030"))[0] == "猫"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a\tb\tc\n", "3 columns; at least 6"),
        (b"a\tb\t{\tc\td\tAAAA\n", "broken JSON or base64"),
        (b"a\tb\t" + b"[" * 100_000 + b"\tc\td\tAAAA\n", "broken JSON or base64"),
        (b"a\tb\t{}\tc\td\tAAAA\n", "no caption_en"),
        (b'a\tb\t{"caption_en": "x"}\tc\td\t%%%\n', "broken JSON or base64"),
        (b'a\tb\t{"caption_en": "x"}\tc\td\tAAAA\n', "no picture"),
        (line("x", size=4), "4 x 4 pixels"),
        (b"\xff\xff\xff", "neither UTF-8 nor GB 18030"),
    ],
)
def test_a_line_that_can_not_be_used_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_line(data)


def test_a_line_that_unpacks_to_more_than_a_picture_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("train.data.parts.MAX_LINE", 1000)
    part = tmp_path / "part-0.gz"
    part.write_bytes(gzip.compress(b"a" * 999 + b"\n" + b"b" * 1_000_000))
    records = Parts(paths=[part]).records(part)
    assert len(next(records)) == 1000
    with pytest.raises(FormatError, match="a line of more than 1000 bytes"):
        next(records)


def test_a_pass_reads_every_line_once_in_an_order_of_its_own(parts: Path, inputs: Inputs) -> None:
    found = captions(dataset(read_parts(parts), inputs), 48)
    first, second = found[:24], found[24:]
    assert sorted(first) == sorted(second) == [f"{p} {n}" for p in range(4) for n in range(6)]
    assert first != second
    assert first != sorted(first)


@pytest.mark.parametrize("ranks", [2, 4])
def test_ranks_share_no_line(parts: Path, inputs: Inputs, ranks: int) -> None:
    each = 24 // ranks
    for rank_passes in (1, 3):  # the ranks' parts stay disjoint in later passes
        found = [
            captions(dataset(read_parts(parts), inputs, rank, ranks), rank_passes * each)[-each:]
            for rank in range(ranks)
        ]
        assert len({caption for part in found for caption in part}) == 24


def test_workers_share_no_line_either(parts: Path, inputs: Inputs) -> None:
    loader = stream(dataset(read_parts(parts), inputs, workers=2), batch=3, workers=2)
    rows = np.concatenate([batch[1].numpy() for batch in islice(loader, 8)])
    assert len({tuple(row) for row in rows}) == 24


def test_a_run_that_goes_on_begins_another_order(parts: Path, inputs: Inputs) -> None:
    first, later, again = (
        captions(dataset(read_parts(parts), inputs, done=done), 24) for done in (0, 5, 5)
    )
    assert first != later == again


def test_bad_lines_are_counted_and_named(
    parts: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    path = read_parts(parts).paths[2]
    path.write_bytes(path.read_bytes() + b"broken\n")
    stream = dataset(read_parts(parts), inputs)
    bad = BadSamples(stream.why)
    bad.note(np.stack([sample.bad for sample in islice(stream, 24 + 24)]))
    assert bad.count in (1, 2)  # the second pass may have it at its end
    assert f"{path}, sample 7: 1 columns" in capsys.readouterr().err


def test_a_damaged_gzip_is_one_bad_sample_and_the_rest_is_read(
    parts: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    path = read_parts(parts).paths[1]
    path.write_bytes(path.read_bytes()[:-20])
    stream = dataset(read_parts(parts), inputs)
    bad = BadSamples(stream.why)
    bad.note(np.stack([sample.bad for sample in islice(stream, 48)]))
    assert bad.count >= 1
    assert f"{path}, sample " in (told := capsys.readouterr().err) and "damaged gzip" in told


def test_parts_without_a_sample_are_an_error(tmp_path: Path, inputs: Inputs) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"a\tb\n" * 3)
    stream = dataset(Parts(paths=[path]), inputs)
    with pytest.raises(DatasetError, match=r"in a row can't be read.*part, sample \d: 2 columns"):
        BadSamples(stream.why).note(next(iter(stream)).bad[None])


def test_what_a_list_must_be(
    parts: Path, inputs: Inputs, tmp_path: Path, arguments: Callable[..., Arguments]
) -> None:
    assert len(find_data(arguments("--task_name", parts)).paths) == 4
    with pytest.raises(NotFoundError, match="no such list"):
        find_data(arguments("--task_name", tmp_path / "laion.none"))
    with pytest.raises(DatasetError, match="4 files for 6 processes"):
        dataset(read_parts(parts), inputs, ranks=2, workers=3)
    (tmp_path / "part-00002").unlink()
    with pytest.raises(NotFoundError, match="no such part file"):
        read_parts(parts)
    parts.write_text("\n\n")
    with pytest.raises(DatasetError, match="names no part file"):
        read_parts(parts)


def test_a_run_on_parts_needs_its_steps(
    parts: Path, words: list[str], alone: Topology, tmp_path: Path
) -> None:
    argv = [*words, "--task_name", str(parts)]
    train(parse(argv), alone, argv, Silence())
    assert (tmp_path / "run" / "checkpoint-4").is_dir()
    anew = [*argv, "--max_steps", "-1", "--overwrite_output_dir"]
    with pytest.raises(UsageError, match="--max_steps is needed"):
        train(parse(anew), alone, argv, Silence())
    epochs = ["--train_num_samples", "16", "--num_train_epochs", "1.5"]
    train(parse([*anew, *epochs]), alone, argv, Silence())
    assert (tmp_path / "run" / "checkpoint-3").is_dir()
