"""What --model means, and the model that is made of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from train.flags import Arguments
from zoo.runtime import import_paddle

pytestmark = pytest.mark.paddle
import_paddle()

from train.start import Start, build, describe, find_start  # noqa: E402
from zoo.errors import NotFoundError, UsageError  # noqa: E402
from zoo.manifest import registry  # noqa: E402
from zoo.spec import CLIPSpec  # noqa: E402
from zoo.talk import Talk  # noqa: E402


def test_an_architecture_begins_with_new_weights(
    arguments: Callable[..., Arguments], silence: Talk
) -> None:
    found = arguments("--model", "ViT-B-32", "--seed", 5)
    start = find_start(found, silence)
    assert start == Start(name="ViT-B-32", spec=registry().architecture("ViT-B-32"), folder=None)
    assert describe(start, found) == "ViT-B-32: new weights, drawn with seed 5"
    with pytest.raises(UsageError, match="--pretrained true, but there are no weights"):
        find_start(arguments("--model", "ViT-B-32", "--pretrained", "true"), silence)


def test_a_folder_begins_with_its_weights(
    arguments: Callable[..., Arguments], silence: Talk, small: Path
) -> None:
    found = arguments("--model", small)
    start = find_start(found, silence)
    assert (start.folder, start.name) == (small, "small")
    model = build(start, found)
    assert model.training
    for name, array in load_file(small / "model.safetensors").items():
        np.testing.assert_array_equal(dict(model.named_parameters())[name].numpy(), array)
    assert find_start(arguments("--model", small, "--pretrained", "false"), silence).folder is None


def test_a_folder_may_be_named_without_a_dot(
    arguments: Callable[..., Arguments], silence: Talk, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.parent)
    folder = find_start(arguments("--model", "small"), silence).folder
    assert folder is not None and folder.samefile(small)


def test_a_folder_without_weights_begins_with_new_ones(
    arguments: Callable[..., Arguments], silence: Talk, small: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(small, tmp_path / "small")
    (folder / "model.safetensors").unlink()
    assert find_start(arguments("--model", folder), silence).folder is None


def test_what_is_nothing_is_not_found(arguments: Callable[..., Arguments], silence: Talk) -> None:
    with pytest.raises(NotFoundError):
        find_start(arguments("--model", "./none"), silence)


def test_a_seed_gives_the_same_weights_again(
    arguments: Callable[..., Arguments], spec: CLIPSpec
) -> None:
    start = Start(name="small", spec=spec, folder=None)
    first, again, other = (
        build(start, arguments("--seed", seed)).visual.proj.numpy() for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_recomputing_and_locking(arguments: Callable[..., Arguments], spec: CLIPSpec) -> None:
    start = Start(name="small", spec=spec, folder=None)
    assert not build(start, arguments()).transformer.recompute
    model = build(start, arguments("--recompute", "--lock_image"))
    assert model.transformer.recompute and model.visual.transformer.recompute
    locked = {name for name, parameter in model.named_parameters() if parameter.stop_gradient}
    assert locked == {n for n, _ in model.named_parameters() if n.startswith("visual.")}


def test_a_shorter_context_cuts_the_positions(
    arguments: Callable[..., Arguments], silence: Talk, small: Path
) -> None:
    found = arguments("--model", small, "--context_length", 20)
    start = find_start(found, silence)
    assert start.spec.text == replace(start.spec.text, context_length=20)
    assert build(start, found).positional_embedding.shape == [20, 20]
