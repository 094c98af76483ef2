"""``--against open_clip``: open_clip on the same pictures, in whatever layout they lie."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from zoo.imagesets.bundled import held_out_digits, open_clips_scores

pytestmark = [pytest.mark.paddle, pytest.mark.reference]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    """Forty of the bundled digits as a webdataset shard, one of them broken."""
    import io

    images = held_out_digits()
    data = tmp_path / "shards"
    data.mkdir()
    with tarfile.open(data / "0.tar", "w") as archive:
        for picture in images.pictures[:40]:
            content = b"" if picture.name == "007" else picture.stored.read()
            for name, written in ((".pgm", content), (".cls", f"{picture.label}".encode())):
                member = tarfile.TarInfo(picture.name + name)
                member.size = len(written)
                archive.addfile(member, io.BytesIO(written))
    (data / "classnames.txt").write_text("\n".join(images.classes))
    (data / "templates.txt").write_text("\n".join(images.templates))
    return data


def test_both_predict_the_same_of_every_picture(
    run_zoo: Callable[..., object], shard: Path
) -> None:
    ran = run_zoo(
        *("verify", "tiny-digits", "--zero-shot", "--data", shard),
        *("--against", "open_clip", "--allow-unreadable", "--json"),
    )
    assert ran.code == 0, ran.stderr  # type: ignore[attr-defined]
    found = json.loads(ran.stdout)["results"][0]["evidence"]  # type: ignore[attr-defined]
    figures = found["rungs"][-1]["figures"]
    assert figures["images"] == figures["same prediction"] == 39 and figures["unreadable"] == 1
    assert figures["agreement"]["flips"] == [] and 0 < figures["agreement"]["band"] < 0.01
    images = held_out_digits()
    kept = np.array([place for place in range(40) if place != 7])
    labels = np.array([images.pictures[place].label for place in kept])
    right = open_clips_scores()[kept].argmax(axis=1) == labels
    assert figures["top-1 of open_clip"] == pytest.approx(100 * right.mean())
    assert found["environment"]["open_clip"]["open_clip"]


def test_a_template_is_text_to_open_clip_too(tiny: Path, tmp_path: Path) -> None:
    """Formatted, the first would be an error and the second another text."""
    from zoo.verify.reference.model import load
    from zoo.verify.reference.zeroshot import classify
    from zoo.verify.request import ModelRequest

    reference = load(ModelRequest(folder=str(tiny), dtype="keep"))
    pixels = np.zeros((1, 3, 32, 32), np.float32)
    import torch

    names = ["{0.__class__}", "one"]
    found = classify(reference, torch.from_numpy(pixels), classes=names, templates=["{} {x}", "{}"])
    plain = classify(reference, torch.from_numpy(pixels), classes=["one {x}"], templates=["{}"])[
        "classifier"
    ]
    alone = classify(reference, torch.from_numpy(pixels), classes=["one"], templates=["{}"])[
        "classifier"
    ]
    mean = plain + alone
    expected = mean / np.linalg.norm(mean)
    assert np.abs(found["classifier"][:, 1:] - expected).max() < 1e-6
