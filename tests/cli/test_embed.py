"""``zoo embed``: rows where clip-retrieval looks for them, whatever happens on the way."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from zoo.deploy.encoder import open_encoder
from zoo.imagesets.ahead import prepare_batch
from zoo.imagesets.bundled import held_out_digits
from zoo.inputs.tokenizer import Tokenizer
from zoo.verify.compare import relative_rms
from zoo.verify.tolerance import EPS

pytestmark = [pytest.mark.paddle, pytest.mark.usefixtures("shared_programs")]
Run = Callable[..., Any]
COUNT = 40


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for place, picture in enumerate(held_out_digits().pictures[:COUNT]):
        (folder / f"{place:03}.pgm").write_bytes(picture.stored.read())
    return folder


def table(out: Path) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = pq.read_table(
        out / "metadata" / "metadata_0.parquet"
    ).to_pylist()
    return rows


def test_rows_are_the_encoder_s(
    converted_once: Path, pictures: Path, run_zoo: Run, tmp_path: Path
) -> None:
    (pictures / "013.pgm").write_bytes(b"broken")
    texts = ["zero", "a photo of the number one", "zero"]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    words = ("--images", pictures, "--texts", tmp_path / "texts.txt", "--out", tmp_path / "out")
    ran = run_zoo("embed", converted_once, *words, "--json")
    assert ran.code == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert (told["images"], told["texts"]) == (COUNT - 1, 3)
    assert told["unreadable"] == [["013.pgm", "FORMAT: The file is no picture"]]
    assert told["path"]["image"].startswith("Paddle Inference")

    encoder = open_encoder(converted_once)
    digits = held_out_digits().pictures[:COUNT]
    assert encoder.spec.preprocess is not None
    pixels = prepare_batch([*digits[:13], *digits[14:]], encoder.spec.preprocess).pixels
    for kind, expected in (
        ("img", encoder.encode_image(pixels)),
        ("text", encoder.encode_text(Tokenizer()(texts))),
    ):
        found = np.load(tmp_path / "out" / f"{kind}_emb" / f"{kind}_emb_0.npy")
        assert found.dtype == np.float32
        # Other batches, other sums: a few roundings through a shallow model.
        assert relative_rms(found, expected.astype(np.float64)) <= 8 * EPS
    rows = table(tmp_path / "out")
    assert [row["image_path"] for row in rows[12:14]] == ["012.pgm", "014.pgm"]
    assert [row["caption"] for row in rows[:4]] == [*texts, None]
    assert len(rows) == COUNT - 1


def test_texts_alone(converted_once: Path, run_zoo: Run, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("zero\n")
    words = ("embed", converted_once, "--texts", tmp_path / "texts.txt", "--out", tmp_path / "out")
    ran = run_zoo(*words)
    assert (ran.code, ran.stdout.strip()) == (0, str(tmp_path / "out"))
    assert not (tmp_path / "out" / "img_emb").exists()
    assert table(tmp_path / "out") == [{"caption": "zero"}]
    assert run_zoo(*words).code == 4, "it is there"
    assert run_zoo(*words, "--force").code == 0


def test_killed_half_way_it_goes_on(
    converted_once: Path, pictures: Path, run_zoo: Run, tmp_path: Path, zoo_home: Path
) -> None:
    words = ("embed", str(converted_once), "--images", str(pictures), "--out")
    assert run_zoo(*words, tmp_path / "whole").code == 0
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, *words, str(tmp_path / "out")], capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL
    (journal,) = (zoo_home / "embed").rglob("rank-0.jsonl")
    assert 0 < len(journal.read_bytes().splitlines()) < COUNT
    assert not (tmp_path / "out").exists()
    assert run_zoo(*words, tmp_path / "out").code == 0
    for name in ("img_emb/img_emb_0.npy", "metadata/metadata_0.parquet", "embed.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert not list((zoo_home / "embed").rglob("*.jsonl")), "nothing is kept twice"


# The process that encodes, in this one, killed after its first batch.
KILLED = """
import os, signal, sys
import msgspec
from zoo.cli import main
from zoo.deploy import embed, embeddings
from zoo.verify import journal
add = journal.Journal.add
def killed(self, rows, rank):
    add(self, rows, rank)
    os.kill(os.getpid(), signal.SIGKILL)
journal.Journal.add = killed
def run_child(module, request, label, talk):
    embed.embed(msgspec.convert(request, embed.EmbedRequest))
embeddings.run_child = run_child
sys.exit(main(sys.argv[1:]))
"""


def test_what_can_not_be_embedded(
    converted_once: Path,
    pictures: Path,
    run_zoo: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = ("--out", tmp_path / "out")
    assert run_zoo("embed", converted_once, *out).code == 2
    assert run_zoo("embed", converted_once, "--images", tmp_path / "nowhere", *out).code == 6
    for path in pictures.iterdir():
        path.write_bytes(b"broken")
    ran = run_zoo("embed", converted_once, "--images", pictures, *out)
    assert ran.code == 4 and "no picture can be read: FORMAT" in ran.stderr
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ran = run_zoo("embed", converted_once, "--images", pictures, *out)
    assert ran.code == 6 and "pip install 'paddle-clip-zoo[datasets]'" in ran.stderr
    assert not (tmp_path / "out").exists()
