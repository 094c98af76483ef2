"""docs/fine-tuning.md as a reader follows it: photographs in, the same features in torch out."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = [pytest.mark.long, pytest.mark.paddle, pytest.mark.reference]
skimage = pytest.importorskip("skimage.data", reason="the extra `test` is not installed")

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "fine-tuning.md").read_text()
SHOW = "\nimport numpy\nfrom PIL import Image\nprint(numpy.asarray({}).tolist())\n"
PICTURE = 'Image.open("pictures/cat/0.jpg")'


def block(beginning: str) -> str:
    """The page's block that begins so."""
    (found,) = (b for b in re.findall(r"```\w*\n(.*?)```", PAGE, re.S) if b.startswith(beginning))
    return str(found)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with photographs, and the checkout's scripts as the page names them."""
    annotations = []
    random = np.random.default_rng(0)
    for name, caption in (("cat", "a tabby cat"), ("coffee", "a cup"), ("astronaut", "a woman")):
        photograph = Image.fromarray(getattr(skimage, {"cat": "chelsea"}.get(name, name))())
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(6):
            left, top = random.integers(0, 100, 2)
            part = photograph.crop((left, top, left + 200, top + 200))
            part.save(tmp_path / "pictures" / name / f"{number}.jpg")
            annotations.append({"image": f"{name}/{number}.jpg", "caption": caption})
    (tmp_path / "my.json").write_text(json.dumps(annotations))
    (tmp_path / "train").symlink_to(ROOT / "train")
    return tmp_path


def run(place: Path, *command: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        cwd=place,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def changed(text: str, **changes: str) -> str:
    for flag, value in changes.items():
        text, count = re.subn(rf"(--{flag}) \S+", rf"\1 {value}", text)
        assert count == 1, flag
    return text


def test_the_page_leads_to_the_same_features_in_torch(place: Path) -> None:
    training = changed(
        block("python train/run_pretrain_dist.py \\\n    --model"),
        model="tiny-digits",
        per_device_train_batch_size="9",
        warmup_ratio="0.2",
        save_steps="5",
        logging_steps="1",
    )
    run(place, "bash", "-c", training)
    log = [json.loads(line) for line in (place / "output" / "log.jsonl").read_text().splitlines()]
    losses = [entry["loss"] for entry in log if "loss" in entry]
    assert len(losses) == 10 and losses[-1] < losses[0]

    resume = block("python train/run_pretrain_dist.py ... --resume")
    again = training.strip().replace("--num_train_epochs 5", "--num_train_epochs 6")
    run(place, "bash", "-c", resume.replace("python train/run_pretrain_dist.py ...", again))
    assert (place / "output" / "checkpoint-12").is_dir()

    ours = block("import zoo\n").replace("checkpoint-500", "checkpoint-12")
    show = SHOW.format(f"model.encode_image(preprocess({PICTURE})[None], normalize=True)")
    here = np.array(json.loads(run(place, "python", "-c", ours + show)))

    run(place, "bash", "-c", block("zoo export").replace("checkpoint-500", "checkpoint-12"))
    # Beside a CPU torch, open_clip's import may need what zoo's reference does before it.
    theirs = block("import open_clip\n").replace(
        "import open_clip\n", "from zoo.verify.reference.libraries import open_clip\n"
    )
    features = f"model.eval().encode_image(preprocess({PICTURE})[None], normalize=True)"
    torch = np.array(
        json.loads(run(place, "python", "-c", theirs + SHOW.format(f"{features}.detach()")))
    )
    # Rung 4 finds a relative error of some 3e-7 in either library's float32 on this model.
    np.testing.assert_allclose(here, torch, rtol=0, atol=1e-6)
