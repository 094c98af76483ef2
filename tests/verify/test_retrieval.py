"""Retrieval: the rates against a plain count, and the whole command against plain numpy."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo.verify.retrieval import recalls


def unit(values: np.ndarray) -> np.ndarray:
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


def plainly(images: np.ndarray, texts: np.ndarray, owner: list[int]) -> dict[str, float]:
    """Query by query, with Python's sort."""
    found = {}
    scores = images @ texts.T
    for k in (1, 5, 10):
        hits = [
            any(owner[t] == i for t in sorted(range(len(texts)), key=lambda t: -scores[i, t])[:k])
            for i in range(len(images))
        ]
        found[f"text recall@{k}"] = 100 * sum(hits) / len(hits)
        hits = [
            owner[t] in sorted(range(len(images)), key=lambda i: -scores[i, t])[:k]
            for t in range(len(texts))
        ]
        found[f"image recall@{k}"] = 100 * sum(hits) / len(hits)
    return found


@pytest.mark.parametrize("rows", [7, 1024])
def test_recall_is_a_plain_count(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zoo.verify.retrieval.ROWS", rows)
    random = np.random.default_rng(0)
    owner = sorted(random.integers(0, 40, 100).tolist())
    images = unit(random.normal(size=(40, 6)))
    texts = unit(images[owner] + 0.8 * random.normal(size=(100, 6)))
    texts[3], images[5] = texts[2], images[4]  # ties
    found = recalls(images, texts, owner)
    assert found == pytest.approx(plainly(images, texts, owner))
    assert 0 < found["image recall@1"] < found["image recall@10"] < 100


@pytest.mark.paddle
@pytest.mark.usefixtures("shared_programs")
def test_the_command_equals_plain_numpy(
    run_zoo: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import zoo
    from zoo.convert.bundled import bundled_checkpoint
    from zoo.deploy.encoder import open_encoder
    from zoo.imagesets.bundled import held_out_digits
    from zoo.inputs.images import open_image
    from zoo.talk import Silence

    monkeypatch.setattr("zoo.verify.reference_side._installed", lambda: False)
    digits = held_out_digits()
    rows = []
    (tmp_path / "coco" / "images").mkdir(parents=True)
    for picture in digits.pictures[:30]:
        name = f"{picture.name}.pgm"
        (tmp_path / "coco" / "images" / name).write_bytes(picture.stored.read())
        texts = [t.replace("{}", digits.classes[picture.label]) for t in digits.templates[:2]]
        rows.append({"image": name, "caption": [*texts, f"picture {picture.name}"]})
    (tmp_path / "coco" / "coco_karpathy_test.json").write_text(json.dumps(rows))
    words = ("verify", "tiny-digits", "--zero-shot", "--data", tmp_path / "coco")
    ran = run_zoo(*words, "--json")
    assert ran.code == 0, ran.stderr  # type: ignore[attr-defined]
    rung = json.loads(ran.stdout)["results"][0]["evidence"]["rungs"][-1]  # type: ignore[attr-defined]

    encoder = open_encoder(bundled_checkpoint(Silence()))
    _, preprocess, tokenizer = zoo.load("tiny-digits")
    pixels = [preprocess(open_image(p.name, p.stored.read())) for p in digits.pictures[:30]]
    images = encoder.encode_image(np.stack(pixels))
    captions = [caption for row in rows for caption in row["caption"]]
    texts = encoder.encode_text(tokenizer(captions))
    # The same caption has the same features, as in the command.
    first = [captions.index(caption) for caption in captions]
    expected = plainly(images, texts[first], [i // 3 for i in range(len(captions))])
    found = {name: rung["figures"][name] for name in expected}
    assert found == pytest.approx(expected)
    assert rung["figures"]["images"] == 30 and rung["figures"]["captions"] == 90

    ran = run_zoo(*words, "--emit", "clip-benchmark")
    written = json.loads(ran.stdout)  # type: ignore[attr-defined]
    assert written["task"] == "zeroshot_retrieval"
    assert written["metrics"]["image_retrieval_recall@5"] == found["image recall@5"] / 100

    (tmp_path / "coco" / "images" / "000.pgm").write_bytes(b"")
    ran = run_zoo(*words)
    assert ran.code == 3 and "1 images can't be read" in ran.stderr  # type: ignore[attr-defined]
    ran = run_zoo(*words, "--against", "open_clip")
    assert ran.code == 2 and "--against is for labelled" in ran.stderr  # type: ignore[attr-defined]
