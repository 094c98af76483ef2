"""What is killed while it trains: runs that write checkpoints, go on, or replace another's."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tests.proofs.scenarios import Scenario, Tree, tree
from train.checkpoint import checkpoints, replaced


@dataclass(frozen=True, kw_only=True)
class Training(Scenario):
    """One that writes checkpoints into the target, and goes on from the newest.

    Attributes:
        whole: each checkpoint that an undisturbed run makes or finds, by its name.
        keep: how many of the last ones are kept; 0: all of them.
    """

    whole: dict[str, Tree]
    keep: int

    def check_after_death(self) -> str:
        others = self.leftovers()
        partial = {f".{name}.partial" for name in self.whole}
        assert set(others) <= {".run.lock"} | partial, others
        self._check_checkpoints()
        if partial & set(others):
            return "whole, and a leftover"
        return "all there" if self._found()[-1] == list(self.whole)[-1] else "whole"

    def begun(self) -> bool:
        return any("checkpoint-" in name for name in self.leftovers())

    def rerun(self) -> str:
        newest = self._found()[-1]
        said = super().rerun()
        assert f"going on from {newest}\n" in said
        return said

    def check_after_rerun(self) -> None:
        self._check_checkpoints()
        assert self._found()[-1] == list(self.whole)[-1]
        assert self.leftovers() == []

    def _check_checkpoints(self) -> None:
        """They are those of an undisturbed run, and as many as are to be kept."""
        found = self._found()
        upto = list(self.whole)[: list(self.whole).index(found[-1]) + 1]
        assert found == upto[-len(found) :] and len(found) >= min(self.keep or 5, len(upto))
        assert all(tree(self.target / name) == self.whole[name] for name in found)

    def leftovers(self) -> list[str]:
        inside = self.target.iterdir() if self.target.is_dir() else ()
        return sorted(path.name for path in inside if path.name.startswith("."))

    def _found(self) -> list[str]:
        return [path.name for path in checkpoints(self.target)]


@dataclass(frozen=True, kw_only=True)
class Overwriting(Training):
    """One that begins anew where another has left checkpoints."""

    def check_after_death(self) -> str:
        assert self.old is not None
        before = {path.name: tree(path) for path in checkpoints(self.old)}
        found, aside = self._found(), replaced(self.target)
        if found and tree(self.target / found[0]) != before.get(found[0]):
            self._check_checkpoints()
            return "new"
        stored = [*self.target.glob("checkpoint-*"), *aside]
        assert {path.name: tree(path) for path in stored} == before  # wherever they are
        if found:
            assert found == list(before) and not aside
            return "old, and a leftover" if self.leftovers() else "old"
        return "old, set aside"

    def rerun(self) -> str:
        """Goes on from what is its own, and from nothing else."""
        found = self.check_after_death()
        if not found.startswith("old"):
            more = tuple(word for word in self.words if word != "--overwrite_output_dir")
            resumed = replace(self, words=(*more, "--resume_from_checkpoint", "True"))
            return Training.rerun(resumed)
        if found == "old, set aside":
            refused = replace(self, words=(*self.words, "--resume_from_checkpoint", "True")).start()
            _, said = refused.communicate()
            assert refused.returncode and "Those of the run before are in replaced/" in said
        return Scenario.rerun(self)


def digits(root: Path) -> Training:
    """The same five steps, of the bundled model on pictures, by the script that people run."""
    (root / "pictures").mkdir()
    random = np.random.default_rng(0)
    entries = []
    for number in range(16):
        pixels = random.integers(0, 256, (32, 32, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(root / "pictures" / f"{number}.png")
        entries.append({"image": f"{number}.png", "caption": f"{number}", "image_id": number})
    (root / "train.json").write_text(json.dumps(entries))
    data = ("--task_name", root / "train.json", "--image_root", root / "pictures")
    size = ("--per_device_train_batch_size", "4", "--ema_decay", "0.9")
    return training(root, "train.run_pretrain_dist", "--model", "tiny-digits", *data, *size, keep=0)


def training(root: Path, module: str, *words: object, keep: int) -> Training:
    """Five steps of a training, the first of which is done, in a folder of its own.

    Args:
        root: the folder.
        module: what trains; it takes the options of train/run_pretrain_dist.py.
        words: further ones.
        keep: how many checkpoints are kept; 0: all of them.
    """
    target, before = root / "at" / "run", root / "before"
    common = (*map(str, words), "--output_dir", str(target), "--save_steps", "1")
    again = (*common, "--resume_from_checkpoint", "True", "--max_steps", "5")
    undisturbed = Training(
        module=module, words=again, root=root, target=target, old=before, new={}, whole={}, keep=0
    )
    first = replace(undisturbed, words=(*common, "--max_steps", "1"))
    Scenario.rerun(first)
    target.rename(before)
    undisturbed.prepare()
    undisturbed.rerun()
    whole = {path.name: tree(path) for path in checkpoints(target)}
    assert list(whole) == [f"checkpoint-{step}" for step in range(1, 6)]
    limit = ("--save_total_limit", str(keep)) if keep else ()
    return replace(undisturbed, words=(*again, *limit), whole=whole, keep=keep)


def overwriting(root: Path, module: str) -> Overwriting:
    """Three steps of a training, in place of the four of another one."""
    target, before = root / "at" / "run", root / "before"
    common = ("--output_dir", str(target), "--save_steps", "1", "--max_steps")
    words = (*common, "3", "--overwrite_output_dir")
    anew = Overwriting(
        module=module, words=words, root=root, target=target, old=before, new={}, whole={}, keep=0
    )
    Scenario.rerun(replace(anew, words=(*common, "4", "--seed", "2")))
    target.rename(before)
    anew.prepare()
    Scenario.rerun(anew)
    return replace(anew, whole={path.name: tree(path) for path in checkpoints(target)})
