"""Fixtures that tests of every part share."""

from __future__ import annotations

import copy
import functools
import json
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from zoo import data
from zoo.cli import main
from zoo.spec import (
    ACTIVATIONS,
    INTERPOLATIONS,
    RESIZES,
    CLIPSpec,
    PreprocessSpec,
    TextSpec,
    VisionSpec,
)
from zoo.spec.fields import MAX_NORM_EPS
from zoo.talk import Silence, Talk

# The same examples in every run, and no clock: the machine may be busy with something else.
settings.register_profile("zoo", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("zoo")

# A runner in the background is started with SIGINT ignored, which its children would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def zoo_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own for every test, so that none sees the user's."""
    home = tmp_path / "zoo-home"
    monkeypatch.setenv("ZOO_HOME", str(home))
    return home


@pytest.fixture
def shared_programs(zoo_home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The cache's programs are every test's: written once, and named by all they depend on."""
    shared = tmp_path_factory.getbasetemp() / "shared-programs"
    shared.mkdir(exist_ok=True)
    zoo_home.mkdir()
    (zoo_home / "programs").symlink_to(shared)


@pytest.fixture(scope="session")
def tiny() -> Path:
    """The folder of the bundled checkpoint, as open_clip saved it."""
    return data.path("tiny")


@pytest.fixture(scope="session")
def converted_once(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled checkpoint, converted; not to be written to."""
    from zoo.convert.run import Options, convert
    from zoo.convert.source import find_source

    out = tmp_path_factory.mktemp("converted") / "tiny"
    options = Options(command=("zoo", "convert", "tiny-digits"))
    return convert(find_source("tiny-digits"), tiny, out, options, Silence())


@pytest.fixture
def without_open_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an environment without the extra `reference`: goldens stand for open_clip."""
    monkeypatch.setattr("zoo.verify.reference_side._installed", lambda: False)


@pytest.fixture(scope="session")
def small(tiny: Path) -> Small:
    """The bundled checkpoint with 64 words instead of 49,408, which are most of the file."""
    tensors = load_file(tiny / "open_clip_model.safetensors")
    words = tensors["token_embedding.weight"][:64].copy()
    config = json.loads((tiny / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["vocab_size"] = len(words)
    return Small(tensors | {"token_embedding.weight": words}, config)


@pytest.fixture(scope="session")
def silence() -> Talk:
    return Silence()


class Small(NamedTuple):
    """A checkpoint of open_clip's, in memory."""

    tensors: dict[str, NDArray[Any]]
    config: dict[str, Any]

    def save(
        self,
        folder: Path,
        *,
        tensors: Mapping[str, NDArray[Any] | None] | None = None,
        config: Mapping[str, Any] | None = None,
        name: str = "open_clip_model.safetensors",
    ) -> Path:
        """Writes it as open_clip does.

        Args:
            folder: is made.
            tensors: those that are other than they should be; None: not there.
            config: changes of the configuration, as ``{"model_cfg.vision_cfg.width": 8}``.
            name: the weight file's.
        """
        folder.mkdir(parents=True, exist_ok=True)
        changed = {**self.tensors, **(tensors or {})}
        save_file(
            {key: value for key, value in changed.items() if value is not None}, folder / name
        )
        document = copy.deepcopy(self.config)
        for path, value in (config or {}).items():
            *sections, key = path.split(".")
            functools.reduce(dict.__getitem__, sections, document)[key] = value
        (folder / "open_clip_config.json").write_text(json.dumps(document))
        return folder


class Ran(NamedTuple):
    """What a command left behind."""

    code: int
    stdout: str
    stderr: str


@pytest.fixture
def run_zoo(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Ran]]:
    """Runs ``zoo`` with the given words in this process."""
    before = signal.getsignal(signal.SIGTERM)

    def run(*argv: object) -> Ran:
        capsys.readouterr()
        code = main([str(word) for word in argv])
        return Ran(code, *capsys.readouterr())

    yield run
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def specs() -> st.SearchStrategy[CLIPSpec]:
    """Small specifications in which all widths may differ."""
    sizes = st.integers(1, 3)
    numbers = st.floats(0.0, 1.0, exclude_max=True)
    layer_scales = st.none() | numbers
    sides = st.tuples(st.integers(1, 40), st.integers(1, 40))
    colours = st.tuples(numbers, numbers, numbers)
    spreads = st.tuples(*(st.floats(1e-3, 1.0) for _ in range(3)))

    def tower(heads: int, head_width: int, activation: str) -> dict[str, st.SearchStrategy[Any]]:
        return {
            "width": st.just(heads * head_width),
            "heads": st.just(heads),
            "layers": sizes,
            "mlp_width": st.integers(1, 40),
            "activation": st.just(activation),
            "norm_eps": st.floats(0.0, MAX_NORM_EPS),
            "layer_scale": layer_scales,
        }

    @st.composite
    def draw_spec(draw: st.DrawFn) -> CLIPSpec:
        activation = draw(st.sampled_from(ACTIVATIONS))
        image_size = draw(sides)
        vision = st.builds(
            VisionSpec,
            **tower(draw(sizes), draw(sizes), activation),
            image_size=st.just(image_size),
            patch_size=sides,
            ln_pre=st.booleans(),
            patch_dropout=numbers,
        )
        text = st.builds(
            TextSpec,
            **tower(draw(sizes), draw(sizes), activation),
            context_length=st.integers(1, 9),
            vocab_size=st.integers(1, 9),
        )
        preprocess = st.builds(
            PreprocessSpec,
            size=st.just(image_size),
            mean=colours,
            std=spreads,
            interpolation=st.sampled_from(INTERPOLATIONS),
            resize=st.sampled_from(RESIZES),
            fill=st.integers(0, 255),
        )
        return CLIPSpec(
            embed_dim=draw(st.integers(1, 9)),
            vision=draw(vision),
            text=draw(text),
            preprocess=draw(preprocess),
        )

    return draw_spec()
