"""What is killed: programs that write, each over what may be there before."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.bad_inputs.checkpoint import config, good, tensors

Tree = dict[str, str]  # a folder's files and their digests
NAMES = (
    "convert",
    "convert over another",
    "convert into the cache",
    "export",
    "export over another",
)
LEFTOVERS = (".partial", ".lock", ".old")


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One command.

    Attributes:
        module: what is run.
        words: what is typed after its name.
        root: the folder that holds everything.
        target: where the result appears.
        old: what is there before; None: nothing.
        new: what the command makes of it.
    """

    module: str = "zoo"
    words: tuple[str, ...]
    root: Path
    target: Path
    old: Path | None
    new: Tree

    def prepare(self) -> None:
        """Puts everything back to how it was before."""
        for path in self.target.parent.iterdir() if self.target.parent.is_dir() else ():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        if self.old is not None:
            shutil.copytree(self.old, self.target)

    def steps(self) -> int:
        """How many steps the command takes on the paths that matter."""
        self.prepare()
        code, said = self.at_step(0, signal.SIGKILL)
        assert code == 0, said
        self.check_after_rerun()
        return int(said.splitlines()[-1])

    def at_step(self, step: int, sent: signal.Signals) -> tuple[int, str]:
        """Runs the command, which is sent a signal at a step; its exit code and stderr."""
        victim = ("-m", "tests.proofs.victim", self.target.parent, step, sent.name)
        process = start(self.root, *victim, self.module, *self.words)
        _, said = process.communicate()
        return process.returncode, said

    def start(self) -> subprocess.Popen[str]:
        """Starts the command."""
        return start(self.root, "-m", self.module, *self.words)

    def begun(self) -> bool:
        """Whether it has begun to write."""
        return bool(self.leftovers())

    def rerun(self) -> str:
        """Runs the command to its end, which has to be a good one; what it says."""
        process = self.start()
        _, said = process.communicate()
        assert process.returncode == 0, said
        return said

    def check_after_death(self) -> str:
        """Sees that nothing is lost or mixed, and says what was found."""
        others = self.leftovers()
        assert all(name.startswith(".") and name.endswith(LEFTOVERS) for name in others), others
        found = tree(self.target)
        if found == self.new:
            return "new"
        assert found == (tree(self.old) if self.old else {})
        return "old, and a leftover" if others else "old"

    def check_after_rerun(self) -> None:
        """Sees that the result is what an undisturbed run makes, and is all there is."""
        assert tree(self.target) == self.new
        assert self.leftovers() == []

    def leftovers(self) -> list[str]:
        """What lies beside the target."""
        parent = self.target.parent
        found = parent.iterdir() if parent.is_dir() else ()
        return sorted(path.name for path in found if path != self.target)


def tree(folder: Path) -> Tree:
    """Every file under a folder with its digest; nothing where there is no folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def start(root: Path, *command: object) -> subprocess.Popen[str]:
    """A process of its own, whose cache is under ``root``."""
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "ZOO_HOME": str(root / "cache"), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(root: Path, *words: object) -> Path:
    """``zoo WORDS``, which has to succeed; the folder it names."""
    process = start(root, "-m", "zoo", *words)
    folder, said = process.communicate()
    assert process.returncode == 0, said
    return Path(folder.strip())


def checkpoint(folder: Path, *, seed: int, vocabulary: int) -> Path:
    """A source whose size is up to its vocabulary: 128 bytes a word."""
    configuration: dict[str, Any] = config()
    configuration["model_cfg"]["text_cfg"]["vocab_size"] = vocabulary
    words = np.random.default_rng(seed).standard_normal((vocabulary, 32), np.float32)
    weights = tensors() | {"token_embedding.weight": words}
    return good(folder, weights=weights, configuration=configuration)


def scenario(root: Path, name: str, *, vocabulary: int) -> Scenario:
    """One of NAMES, in a folder of its own."""
    new, old = (
        checkpoint(root / f"source-{seed}", seed=seed, vocabulary=vocabulary) for seed in (1, 2)
    )
    words: tuple[object, ...] = ("convert", new)
    more: tuple[object, ...] = ()
    if name.startswith("export"):
        new, old = (run(root, "convert", path, "--out", f"{path}-model") for path in (new, old))
        words, more = ("export", new), ("--to", "open_clip")
    before = None
    if name.endswith("over another"):
        before = run(root, words[0], old, *more, "--out", root / "before")
    place = ("--id", "victim") if name.endswith("cache") else ("--out", root / "at/out", "--force")
    words = tuple(map(str, (*words, *more, *place)))
    target = run(root, *words)
    made = tree(target)
    assert made and (before is None or made != tree(before))
    return Scenario(words=words, root=root, target=target, old=before, new=made)
