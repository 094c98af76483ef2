"""A contestant's process holds one framework: beside another it would not be itself."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from benchmarks.checkpoints import save_json
from benchmarks.contestant import Process
from zoo import convert_checkpoint
from zoo.inputs.tokenizer import Tokenizer
from zoo.spec import native
from zoo.verify.compare import relative_rms

# Float32's rounding over a few layers is 1e-6; another input, or other weights, would be near 1.
ROUNDING = 1e-4
PLACE = Path(__file__).parents[2] / "benchmarks" / "contestants"
MODULES = sorted(path for path in PLACE.glob("*.py") if path.stem not in ("__init__", "serve"))
SIDES = {
    "paddle": ("paddle", "paddlenlp", "zoo.models", "zoo.deploy", "zoo.runtime", "train"),
    "torch": ("torch", "open_clip", "transformers", "zoo.verify.reference"),
    "onnx": ("onnxruntime",),
    "openvino": ("openvino",),
}


def sides(source: str) -> set[str]:
    """Whose modules a text imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return {
        side
        for side, roots in SIDES.items()
        if any(name == root or name.startswith(f"{root}.") for name in names for root in roots)
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_one_framework(path: Path) -> None:
    assert len(sides(path.read_text())) <= 1


def test_two_are_seen() -> None:
    both = "def f():\n    from zoo.runtime import import_paddle\nimport torch.nn"
    assert sides(both) == {"paddle", "torch"}
    assert sides("import torchvision") == set()


def test_every_side_takes_part() -> None:
    assert set().union(*(sides(path.read_text()) for path in MODULES)) == set(SIDES)


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> Path:
    return convert_checkpoint(tiny, tmp_path_factory.mktemp("tiny") / "native")


@pytest.fixture
def batch(converted: Path, tmp_path: Path) -> dict[str, Path]:
    """The files that contestants are given, by what they are asked to do."""
    spec = native.read(converted / native.CONFIG_NAME)
    assert spec.vision is not None
    pixels = np.random.default_rng(0).standard_normal((4, 3, *spec.vision.image_size))
    tokens = Tokenizer()(["a 1", "a written 2", "3", "4"])
    np.save(tmp_path / "pixels.npy", pixels.astype(np.float32))
    np.save(tmp_path / "tokens.npy", tokens)
    np.savez(tmp_path / "pairs.npz", pixels=pixels.astype(np.float32), tokens=tokens)
    words = save_json(tmp_path / "words.json", {"names": ["1", "2"], "templates": ["a {}", "{}"]})
    return {
        "images": tmp_path / "pixels.npy",
        "texts": tmp_path / "tokens.npy",
        "texts uncut": tmp_path / "tokens.npy",
        "classifier": words,
        "step": tmp_path / "pairs.npz",
    }


@pytest.mark.reference
@pytest.mark.paddle
def test_zoo_and_open_clip_do_the_same_work(
    converted: Path, tiny: Path, batch: dict[str, Path], tmp_path: Path
) -> None:
    """A loss too: so a step is of the same pairs, through the same objective."""
    done: dict[str, list[np.ndarray]] = {}
    for module, works, options in (
        ("zoo_eager", ("images", "texts", "texts uncut", "classifier"), {"folder": converted}),
        ("zoo_training", ("step",), {"folder": converted}),
        ("zoo_training", ("step",), {"folder": converted, "plain": "yes"}),
        ("torch_model", ("images", "texts", "classifier"), {"folder": tiny}),
        ("torch_training", ("step",), {"folder": tiny}),
    ):
        given = {name: str(value) for name, value in options.items()}
        with Process(module, tmp_path / f"{module}.log", **given) as process:
            for work in works:
                out = tmp_path / "out.npy"
                process.do(work, batch[work], save=out, shortest=0.0)
                done.setdefault(work.removesuffix(" uncut"), []).append(np.load(out))
            assert process.turn("product")() > 0
    assert {work: len(values) for work, values in done.items()} == {
        "images": 2,
        "texts": 3,
        "classifier": 2,
        "step": 3,
    }
    for values in done.values():
        for other in values[:-1]:
            assert relative_rms(other, values[-1].astype(np.float32)) < ROUNDING
