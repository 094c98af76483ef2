"""The paddle process of retrieval, killed and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from zoo.convert import provenance
from zoo.errors import DatasetError
from zoo.imagesets.bundled import held_out_digits
from zoo.imagesets.captions import CaptionSet
from zoo.imagesets.recognise import open_data
from zoo.spec import native
from zoo.talk import Silence
from zoo.verify.bench import Bench
from zoo.verify.encode import encode
from zoo.verify.evaluation import BATCH, Wish, find_material, key
from zoo.verify.journal import journal_folder, read_rows, read_timing
from zoo.verify.request import EncodeRequest
from zoo.verify.retrieval import TEXTS, Features

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("shared_programs")]
LISTING = "coco_karpathy_test.json"
COUNT = 3 * BATCH + 4


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """Digits with captions, some of which come more than once."""
    digits = held_out_digits()
    folder = tmp_path / "coco"
    (folder / "images").mkdir(parents=True)
    rows = []
    for picture in digits.pictures[:COUNT]:
        name = f"{picture.name}.pgm"
        (folder / "images" / name).write_bytes(picture.stored.read())
        own = digits.templates[0].replace("{}", digits.classes[picture.label])
        rows.append({"image": name, "caption": [own, f"picture {picture.name}"]})
    (folder / LISTING).write_text(json.dumps(rows))
    return folder


@pytest.fixture
def asked(converted_once: Path, pairs: Path, zoo_home: Path) -> EncodeRequest:
    """What `zoo verify` asks for, in the folder where it asks for it."""
    record, spec = provenance.read(converted_once), native.read(converted_once / "config.json")
    made_of = key(record, spec, None, str(pairs), "float32", BATCH)
    return EncodeRequest(
        folder=str(converted_once),
        data=str(pairs),
        out=str(journal_folder("retrieval", record.id, made_of)),
        batch_size=BATCH,
        workers=0,
    )


def killed(asked: EncodeRequest, kill_after: Callable[..., None]) -> Path:
    """Its folder, after the captions and two of four batches of pictures."""
    kill_after("zoo.verify.encode", asked, 2 * COUNT + 2 * BATCH)
    return Path(asked.out)


def opened(asked: EncodeRequest) -> CaptionSet:
    found = open_data(asked.data)
    assert isinstance(found, CaptionSet)
    return found


def test_killed_half_way_and_resumed_it_shows_the_same(
    asked: EncodeRequest,
    kill_after: Callable[..., None],
    without_open_clip: None,
    converted_once: Path,
    zoo_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rung 6 alone, on programs that are there: each process takes a minute on a busy machine."""
    monkeypatch.setattr("zoo.verify.reference_side.find_goldens", lambda digest: None)
    record = provenance.read(converted_once)
    material = find_material(Wish(data=asked.data), record)
    found = []
    for home in (tmp_path / "whole", tmp_path / "resumed"):
        monkeypatch.setenv("ZOO_HOME", str(home))
        home.mkdir()
        (home / "programs").symlink_to((zoo_home / "programs").resolve())
        at = home / Path(asked.out).relative_to(zoo_home)
        if home.name == "resumed":
            killed(msgspec.structs.replace(asked, out=str(at)), kill_after)
            assert (at / "journal.json").is_file() and not (at / Features.FILE).exists()
        bench = Bench(
            converted_once,
            record=record,
            source="not at hand",
            manifest=None,
            material=material,
            work=tmp_path,
            talk=Silence(),
        )
        with closing(bench):
            outcome = bench.zero_shot()
        assert outcome.status == "pass" and len(read_rows(at, Features)) == COUNT
        made = read_timing(at)["images"]
        assert made == COUNT if home.name == "whole" else 0 < made <= COUNT - 2 * BATCH
        files = [(at / name).read_bytes() for name in (Features.FILE, TEXTS)]
        found.append((files, outcome, bench.environment))
    assert found[0] == found[1]


@pytest.mark.parametrize("change", ["picture", "caption", "size", "fewer"])
def test_data_that_changed_in_between_is_refused(
    change: str, asked: EncodeRequest, kill_after: Callable[..., None], pairs: Path
) -> None:
    folder = killed(asked, kill_after)
    first = sorted((pairs / "images").iterdir())[0]
    rows = json.loads((pairs / LISTING).read_text())
    if change == "picture":
        content = bytearray(first.read_bytes())
        content[-1] ^= 1
        first.write_bytes(content)
    elif change == "size":
        first.write_bytes(first.read_bytes() + b" ")
    elif change == "caption":
        rows[-1]["caption"][0] += "!"
    else:
        del rows[-1]
    (pairs / LISTING).write_text(json.dumps(rows))
    with pytest.raises(DatasetError, match="has changed since this evaluation began") as caught:
        encode(asked, opened(asked), lambda *_: None)
    assert str(folder) in str(caught.value), "it says which folder to remove"


def test_captions_are_encoded_once_for_all_runs(
    asked: EncodeRequest, zoo_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zoo.models import zeroshot

    encoded: list[int] = []
    whole = zeroshot.encode_texts

    def counted(*args: object) -> object:
        encoded.append(len(args[1]))  # type: ignore[arg-type]
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(zeroshot, "encode_texts", counted)
    pairs = opened(asked)
    for _ in range(2):
        encode(asked, pairs, lambda *_: None)
    assert encoded == [COUNT + 10], "each different caption once"
    assert len(list((zoo_home / "captions").glob("*.npy"))) == 1
