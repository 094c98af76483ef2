"""webdataset shards: what a sample is, who reads which, resampling, and what is left out."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from tests.train.data.files import picture, write  # noqa: E402
from train.arguments import parse  # noqa: E402
from train.data.bad import BadSamples  # noqa: E402
from train.data.find import find_data  # noqa: E402
from train.data.places import find_stream  # noqa: E402
from train.data.samples import Inputs  # noqa: E402
from train.data.shards import Shards, read_shards  # noqa: E402
from train.data.stream import RecordDataset, stream  # noqa: E402
from train.flags import Arguments  # noqa: E402
from train.loop import train  # noqa: E402
from train.topology import Topology  # noqa: E402
from zoo.errors import DatasetError, FormatError, NotFoundError, PathError, UsageError  # noqa: E402
from zoo.inputs.tokenizer import Tokenizer  # noqa: E402
from zoo.talk import Silence  # noqa: E402


def all_of(folder: Path, *, resampled: bool = False) -> Shards:
    return read_shards(f"{folder}/{{0000..0005}}.tar", resampled=resampled)


def dataset(
    source: Shards, inputs: Inputs, rank: int = 0, ranks: int = 1, workers: int = 1, done: int = 0
) -> RecordDataset:
    found = find_stream(source, None, seed=7, done=done, ranks=ranks, workers=workers)
    return RecordDataset(source, inputs, found, rank=rank, done=done)


def captions(samples: RecordDataset, count: int) -> list[str]:
    ids = [sample.tokens for sample in islice(samples, count)]
    return [Tokenizer().decode(row[1 : row.argmax()]).strip() for row in ids]


def one(source: Path) -> tuple[str, Image.Image]:
    shards = Shards(paths=[source], resampled=False)
    (record,) = shards.records(source)
    return shards.decode(record)


@pytest.mark.parametrize("kind", ["jpg", "png", "jpeg", "webp"])
def test_a_sample_is_a_picture_and_a_caption(tmp_path: Path, kind: str) -> None:
    data = picture({"jpg": "JPEG"}.get(kind, kind).upper())
    path = write(tmp_path / "a.tar", {f"x/1.{kind}": data, "x/1.txt": "猫".encode()})
    caption, image = one(path)
    assert (caption, image.size) == ("猫", (20, 20))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"1.txt": b"a"}, "'1' has no picture"),
        ({"1.png": b"a"}, "'1' has no txt"),
        ({"1.png": b"a", "1.txt": b"\xff"}, "not UTF-8"),
        ({"1.png": b"a", "1.txt": b"a"}, "no picture"),
        ({"../../1.png": b"a", "../../1.txt": b"a"}, "no picture"),  # a name like any other
    ],
)
def test_a_sample_that_can_not_be_used(
    tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(FormatError, match=message):
        one(write(tmp_path / "a.tar", members))


def test_links_and_devices_are_no_samples(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    link, device = tarfile.TarInfo("1.txt"), tarfile.TarInfo("2.txt")
    link.type, link.linkname = tarfile.SYMTYPE, str(tmp_path / "secret.txt")
    device.type = tarfile.CHRTYPE
    with pytest.raises(FormatError, match="has no txt"):
        one(write(tmp_path / "a.tar", {"1.png": picture()}, link, device))


def test_a_member_of_any_size_is_not_read_into_memory(tmp_path: Path) -> None:
    """GNU tar can say of a few bytes that they are a terabyte of zeros."""
    sparse = tarfile.TarInfo("1.png")
    sparse.type = tarfile.GNUTYPE_SPARSE
    block = bytearray(sparse.tobuf(tarfile.GNU_FORMAT))
    block[386:398], block[398:410] = b"00000000000\0", b"00000000000\0"  # one empty piece
    block[483:495] = b"\x80" + (1 << 40).to_bytes(11, "big")  # the real size
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    path = write(tmp_path / "a.tar", {"1.txt": b"a"})
    path.write_bytes(bytes(block) + path.read_bytes())
    with pytest.raises(FormatError, match="1,099,511,627,776 bytes are too many"):
        one(path)


def test_a_pass_reads_every_sample_once_in_an_order_of_its_own(
    shards: Path, inputs: Inputs
) -> None:
    found = captions(dataset(all_of(shards), inputs), 48)
    first, second = found[:24], found[24:]
    assert sorted(first) == sorted(second) == [f"{s} {n}" for s in range(6) for n in range(4)]
    assert first != second != sorted(second)


@pytest.mark.parametrize("ranks", [2, 3])
def test_ranks_share_no_sample_in_any_pass(shards: Path, inputs: Inputs, ranks: int) -> None:
    each = 24 // ranks
    parts = [
        captions(dataset(all_of(shards), inputs, rank, ranks), 3 * each) for rank in range(ranks)
    ]
    for start in range(0, 3 * each, each):
        assert len({c for part in parts for c in part[start : start + each]}) == 24


def test_workers_share_no_sample_either(shards: Path, inputs: Inputs) -> None:
    loader = stream(dataset(all_of(shards), inputs, workers=2), batch=3, workers=2)
    rows = np.concatenate([batch[1].numpy() for batch in islice(loader, 8)])
    assert len({tuple(row) for row in rows}) == 24


def test_the_seed_decides_and_a_run_that_goes_on_begins_another_order(
    shards: Path, inputs: Inputs
) -> None:
    for resampled in (False, True):
        source = all_of(shards, resampled=resampled)
        first, again, later = (
            captions(dataset(source, inputs, done=done), 24) for done in (0, 0, 5)
        )
        assert first == again != later


def test_resampling_draws_with_replacement_for_every_reader(shards: Path, inputs: Inputs) -> None:
    source = all_of(shards, resampled=True)
    drawn = [
        [file for files in islice(source.passes([7, 0], reader, 8), 25) for file in files]
        for reader in range(8)  # which is more than there are shards
    ]
    assert len({tuple(files) for files in drawn}) == 8
    # 1200 draws: 200 of each shard, give or take 13
    assert np.abs(np.bincount(np.concatenate(drawn)) - 200).max() < 5 * 13
    assert captions(dataset(source, inputs, 0, 8), 8)[-1]


def test_sources_are_joined_and_patterns_expanded(shards: Path) -> None:
    text = f"{shards}/000{{0,3}}.tar::{shards}/0005.tar"
    assert [path.stem for path in read_shards(text, resampled=False).paths] == [
        "0000",
        "0003",
        "0005",
    ]


def test_bad_samples_are_counted_and_named(
    shards: Path, inputs: Inputs, capsys: pytest.CaptureFixture[str]
) -> None:
    write(shards / "0002.tar", {"1.png": b"no", "1.txt": b"x", "2.png": picture(), "2.txt": b"y"})
    for name, length in (("0003", 9540), ("0004", 9800)):  # within a header, within a member
        path = shards / f"{name}.tar"
        path.write_bytes(path.read_bytes()[:length])
    samples = dataset(all_of(shards), inputs)
    bad = BadSamples(samples.why)
    notes, good = [], set()
    for sample in islice(samples, 100):
        notes.append(sample.bad)
        good.add(tuple(sample.tokens))
    bad.note(np.stack(notes))
    told = capsys.readouterr().err
    assert "0002.tar, sample 1: The file is no picture" in told
    assert "0003.tar, sample 4: this tar is damaged or cut off" in told
    assert "0004.tar, sample 3: this tar can't be read on: unexpected end of data" in told
    assert bad.count >= 3 and len(good) == 3 * 4 + 1 + 3 + 2


def test_a_second_member_of_a_name_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", {"1.png": picture(), "1.txt": b"a"})
    with tarfile.open(path, "a") as archive:
        archive.addfile(tarfile.TarInfo("1.txt"))
    shards = Shards(paths=[path], resampled=False)
    sample, twice = shards.records(path)
    assert shards.decode(sample)[0] == "a"
    with pytest.raises(FormatError, match="duplicate file name"):
        shards.decode(twice)


def test_shards_without_a_sample_are_an_error(tmp_path: Path, inputs: Inputs) -> None:
    source = Shards(paths=[write(tmp_path / "a.tar", {"1.txt": b"a"})], resampled=False)
    samples = dataset(source, inputs)
    with pytest.raises(DatasetError, match=r"in a row can't be read.*sample 1: '1' has no picture"):
        BadSamples(samples.why).note(next(iter(samples)).bad[None])


@pytest.mark.parametrize(
    "address",
    ["pipe:touch {canary}; cat {shard}", "http://127.0.0.1:9/0000.tar", "s3://b/{{00..09}}.tar"],
)
def test_nothing_is_given_to_a_shell(
    arguments: Callable[..., Arguments], shards: Path, tmp_path: Path, address: str
) -> None:
    canary = tmp_path / "canary"
    address = address.format(canary=canary, shard=shards / "0000.tar")
    for text in (address, f"{shards}/0000.tar::{address}"):
        with pytest.raises(PathError, match="only shards that are files"):
            find_data(arguments("--task_name", text))
    # A name that a shell would run is a name.
    with pytest.raises(NotFoundError):
        find_data(arguments("--task_name", f"$(touch {canary}).tar"))
    assert not canary.exists()


def test_what_shards_must_be(
    arguments: Callable[..., Arguments], shards: Path, inputs: Inputs
) -> None:
    pattern = f"{shards}/{{0000..0005}}.tar"
    assert find_data(arguments("--task_name", pattern, "--dataset_resampled")).resampled
    with pytest.raises(NotFoundError, match=r"4 of 10 shards are not there, the first.*0006[.]tar"):
        find_data(arguments("--task_name", f"{shards}/{{0000..0009}}.tar"))
    with pytest.raises(DatasetError, match="6 files for 8 processes"):
        dataset(all_of(shards), inputs, ranks=4, workers=2)
    with pytest.raises(UsageError, match="draws from webdataset shards"):
        find_data(arguments("--task_name", "x.csv", "--dataset_resampled"))


def test_a_compressed_shard_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:gz"):
        pass
    with pytest.raises(FormatError, match=r"can't be read on[\s\S]*decompressed first"):
        one(tmp_path / "a.tar")


def test_a_run_on_shards(shards: Path, words: list[str], alone: Topology, tmp_path: Path) -> None:
    argv = [*words, "--task_name", f"{shards}/{{0000..0005}}.tar", "--dataloader_num_workers", "2"]
    train(parse(argv), alone, argv, Silence())
    assert (tmp_path / "run" / "checkpoint-4").is_dir()


@pytest.mark.reference
def test_the_library_is_taken_without_torch() -> None:
    """It would import torch, which has no place beside paddle."""
    code = (
        "import sys; from train.data.shards import read_shards\n"
        "try: read_shards('none.tar', resampled=False)\n"
        "except Exception: pass\n"
        "assert 'webdataset' in sys.modules and 'torch' not in sys.modules"
    )
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True)
