"""The model a run begins with: weights where there are any, else open_clip's initialisation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from train.flags import Arguments
from train.groups import LOGIT_SCALE
from zoo.convert.export.folder import record_of
from zoo.convert.obtain import converted_folder
from zoo.convert.source import own_name
from zoo.convert.writer import INDEX_NAME, WEIGHTS_NAME
from zoo.errors import ConfigError, UsageError
from zoo.manifest import registry
from zoo.models.clip import CLIP
from zoo.models.initialize import initialize
from zoo.models.loading import load_checkpoint
from zoo.spec import CLIPSpec, native
from zoo.talk import Talk


@dataclass(frozen=True, kw_only=True)
class Start:
    """What ``--model`` means: ``folder`` holds the weights; None: they are drawn.

    ``name`` is what the model is called that the run begins with.
    """

    name: str
    spec: CLIPSpec
    folder: Path | None


def find_start(arguments: Arguments, talk: Talk) -> Start:
    """Finds the model; nothing is loaded, but a model of the zoo may be converted on the way.

    Raises:
        UsageError: ``--pretrained true`` where there are no weights.
        ConfigError: the model lacks a tower or preprocessing.
        ZooError: what finding and converting raise.
    """
    spec = _architecture(arguments.model)
    folder, name = None, arguments.model
    if spec is None:
        folder = converted_folder(_source(arguments.model), talk)
        record = record_of(folder)
        name = record.id if record else own_name(folder)
        spec = native.read(folder / native.CONFIG_NAME)
        if not any((folder / file).is_file() for file in (WEIGHTS_NAME, INDEX_NAME)):
            folder = None
    if arguments.pretrained and folder is None:
        raise UsageError(
            "--pretrained true, but there are no weights",
            where=arguments.model,
            remedy="Name a zoo id or a folder with weights, or leave --pretrained out.",
        )
    if arguments.pretrained is False:
        folder = None
    if spec.vision is None or spec.text is None or spec.preprocess is None:
        raise ConfigError(
            "training takes both towers and their preprocessing", where=arguments.model
        )
    if arguments.context_length:
        spec = replace(spec, text=replace(spec.text, context_length=arguments.context_length))
    return Start(name=name, spec=spec, folder=folder)


def _architecture(name: str) -> CLIPSpec | None:
    try:
        return registry().architecture(name)
    except ConfigError:
        return None


def _source(model: str) -> str:
    """A folder may be named without a dot in front, as PaddleMIX's script allows."""
    return f"./{model}" if not model.startswith((".", "/", "~")) and Path(model).is_dir() else model


def build(start: Start, arguments: Arguments) -> CLIP:
    """The model with its weights, in training mode, locked and recomputing as asked for."""
    if start.folder is None:
        model = initialize(CLIP(start.spec), arguments.seed)
    else:
        resized = arguments.context_length is not None
        model = load_checkpoint(start.folder, spec=start.spec, interpolate=resized)
        model.train()
    for name, parameter in model.named_parameters():
        visual = name.startswith("visual.")
        locked = arguments.lock_image if visual else arguments.lock_text
        parameter.stop_gradient = locked and name != LOGIT_SCALE
    model.transformer.recompute = model.visual.transformer.recompute = arguments.recompute
    return model


def describe(start: Start, arguments: Arguments) -> str:
    """The first line of a run's log."""
    if start.folder is None:
        return f"{arguments.model}: new weights, drawn with seed {arguments.seed}"
    return f"{arguments.model}: weights of {start.folder}"
