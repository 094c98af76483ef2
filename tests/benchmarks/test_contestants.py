"""A contestant's process holds one framework: beside another it would not be itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

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
