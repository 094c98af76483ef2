"""The three worlds: pure imports no framework, and the frameworks never import each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PADDLE = {"paddle", "paddlenlp"}
TORCH = {"torch", "torchvision", "open_clip", "transformers"}
MODULES = sorted((ROOT / "zoo").rglob("*.py"))


def forbidden(path: Path) -> set[str]:
    """What the world of a module must not import."""
    place = path.relative_to(ROOT / "zoo").as_posix()
    if place.startswith("models/") or place in ("verify/subject.py", "verify/predict.py"):
        return TORCH
    if place.startswith("verify/reference/"):
        return PADDLE
    return PADDLE | TORCH


def imported(source: str) -> set[str]:
    """The top-level packages that a module's text imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
    return {name.partition(".")[0] for name in names}


def test_the_walk_finds_the_modules() -> None:
    assert len(MODULES) > 50


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_a_module_imports_its_own_world(path: Path) -> None:
    assert not imported(path.read_text()) & forbidden(path)


@pytest.mark.parametrize(
    ("place", "line"),
    [
        ("convert/run.py", "import torch"),
        ("convert/run.py", "from paddle import nn"),
        ("models/vit.py", "def f():\n    import open_clip.model"),
        ("verify/reference/taps.py", "import paddle"),
    ],
)
def test_a_breach_is_seen(place: str, line: str) -> None:
    assert imported(line) & forbidden(ROOT / "zoo" / place)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_loads_a_foreign_pickle(path: Path) -> None:
    """torch.load and paddle.load can run code from a file."""
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr == "load"
        and isinstance(node.value, ast.Name)
        and node.value.id in {"torch", "paddle", "pickle"}
    ]
    assert not calls
