"""The three worlds: pure imports no framework, and the frameworks never import each other."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PADDLE = {"paddle", "paddlenlp"}
TORCH = {"torch", "torchvision", "open_clip", "transformers"}
PADDLES_OWN = (
    *("verify/subject.py", "verify/predict.py", "verify/encode.py"),
    *("deploy/write.py", "deploy/predictor.py", "deploy/encoder.py"),
)
MODULES = sorted((ROOT / "zoo").rglob("*.py"))
OUTSIDE = sorted(
    path
    for room in ("train", "tools", "benchmarks", "fuzz")
    for path in (ROOT / room).rglob("*.py")
)
UNPICKLERS = {"torch", "paddle", "pickle", "dill", "cloudpickle", "joblib"}
LOADS = {"load", "loads", "Unpickler"}


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def forbidden(path: Path) -> set[str]:
    """What the world of a module must not import."""
    place = path.relative_to(ROOT / "zoo").as_posix()
    if place.startswith("models/") or place in PADDLES_OWN:
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


@pytest.mark.parametrize("path", MODULES, ids=short)
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


def unpickled(source: str) -> list[int]:
    """The lines on which a module's text would unpickle something, under whatever name: a module
    may be imported as another, or handed over under its own name (``paddle = import_paddle()``)."""
    modules = set(UNPICKLERS)
    found: list[int] = []
    nodes = list(ast.walk(ast.parse(source)))
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules |= {a.asname or a.name for a in node.names if a.name in UNPICKLERS}
        if isinstance(node, ast.ImportFrom) and node.module in UNPICKLERS:
            found += [node.lineno for alias in node.names if alias.name in LOADS]
    inner = [
        node.value for node in nodes if isinstance(node, ast.Attribute)
    ]  # as a.load in a.load.b
    for node in nodes:
        match node:
            case ast.Attribute(value=value, attr=attribute):
                if attribute in LOADS and _root(value) in modules and node not in inner:
                    found.append(node.lineno)
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                found.append(node.value.lineno)
    return found


def _root(node: ast.expr) -> str | None:
    """The name that a chain of attributes begins with."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


@pytest.mark.parametrize("path", [*MODULES, *OUTSIDE], ids=short)
def test_nothing_loads_a_foreign_pickle(path: Path) -> None:
    """torch.load, paddle.load and pickle can run code from a file."""
    assert not unpickled(path.read_text())


@pytest.mark.parametrize(
    "source",
    [
        "import torch\ntorch.load(path)",
        "import paddle as p\n\ndef f(): return p.load(path)",
        "def f():\n    from paddle import load as read",
        "from zoo.verify.reference.libraries import torch\ntorch.load(path)",
        "import pickle\npickle.Unpickler(file)",
        "paddle = import_paddle()\npaddle.load(path)",
        "import paddle\npaddle.framework.io.load(path)",
        "import torch\ntorch.jit.load(path)",
        "import numpy as np\nnp.load(path, allow_pickle=True)",
    ],
)
def test_a_pickle_that_is_loaded_is_seen(source: str) -> None:
    assert unpickled(source)


@pytest.mark.parametrize("call", ["torch.load", "paddle.load"])
def test_the_linter_sees_it_too(call: str) -> None:
    source = f"import {call.partition('.')[0]}\n\n{call}('x')\n"
    words = ("check", "--select", "TID251", "--stdin-filename", "zoo/convert/wrong.py", "-")
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", *words],
        input=source,
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert ran.returncode == 1 and f"`{call}` is banned" in ran.stdout
