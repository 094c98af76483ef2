"""Which files are the checkpoint: weights by the names people use, the format by its keys."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from zoo.convert.readers import Checkpoint, open_checkpoint
from zoo.convert.readers.layout import shown
from zoo.convert.tables import Format, recognise
from zoo.errors import FormatError, NotFoundError, UsageError
from zoo.spec import CLIPSpec, native, open_clip
from zoo.spec.fields import read_json_object

# Per family, in the order of preference; each may also be sharded, with NAME.index.json.
WEIGHTS = {
    "open_clip": (
        "open_clip_model.safetensors",
        "open_clip_pytorch_model.safetensors",
        "open_clip_pytorch_model.bin",
    ),
}
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
ACCEPTED = "zoo reads open_clip checkpoints (.safetensors, .bin, .pt)"


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An open checkpoint, what it is, and what its configuration says it computes."""

    checkpoint: Checkpoint
    format: Format
    spec: CLIPSpec
    config: Path | None  # None: the specification came from the caller

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that was read, configuration first."""
        return (*(() if self.config is None else (self.config,)), *self.checkpoint.files)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)


def open_source(path: Path, *, family: str | None = None, spec: CLIPSpec | None = None) -> Opened:
    """Opens a folder or a weight file; no tensor is read.

    Args:
        path: a folder in a known format, or one weight file or index.
        family: the family to take where a folder holds several; None: the first that is there.
        spec: what the weights are, for a file without a configuration (``--arch``).

    Raises:
        NotFoundError: no weights, or no configuration, are there.
        UsageError: several weight files and no way to choose; a specification that is missing or
            one too many.
        FormatError: the weights are no CLIP that zoo knows.
    """
    weights = find_weights(path, family) if path.is_dir() else path
    with ExitStack() as stack:
        checkpoint = stack.enter_context(open_checkpoint(weights))
        form = recognise(checkpoint.tensors)
        if form is None:
            some = ", ".join(map(shown, list(checkpoint.tensors)[:3])) or "none at all"
            raise FormatError(
                f"these tensors are no CLIP that zoo knows: {some}, ...",
                where=weights,
                remedy=ACCEPTED,
            )
        spec, config = _specification(weights, spec)
        stack.pop_all()  # from here on the caller closes it
        return Opened(checkpoint=checkpoint, format=form, spec=spec, config=config)


def _specification(weights: Path, given: CLIPSpec | None) -> tuple[CLIPSpec, Path | None]:
    """What the weights compute, and the file that says so; None where the caller does."""
    config = weights.parent / open_clip.CONFIG_NAME
    if config.is_file():
        if given is not None:
            raise UsageError(
                f"{config.name} says what these weights are; --arch is for weights without one",
                where=config,
            )
        return open_clip.read(config), config
    if given is None:
        raise UsageError(
            f"{weights.name} has no {config.name} beside it",
            where=weights.parent,
            remedy="Name the architecture: --arch ViT-B-32 (as open_clip calls it), or a JSON "
            "file with open_clip's model configuration.",
        )
    return given, None


def find_weights(folder: Path, family: str | None) -> Path:
    """The weight file of a folder, or its index.

    Raises:
        NotFoundError: there is none.
        UsageError: there are several of names that say nothing.
    """
    for names in WEIGHTS.values() if family is None else (WEIGHTS[family],):
        for name in names:
            for candidate in (folder / name, folder / f"{name}.index.json"):
                if candidate.is_file():
                    return candidate
    if is_converted(folder):
        raise UsageError("this folder is a converted checkpoint already", where=folder)
    others = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.is_file())
    if len(others) == 1 and family is None:
        return others[0]
    if others:
        raise UsageError(
            f"several weight files: {', '.join(p.name for p in others)}",
            where=folder,
            remedy="Name one of them instead of the folder.",
        )
    raise NotFoundError("no weights are here", where=folder, remedy=ACCEPTED)


def is_converted(folder: Path) -> bool:
    """Whether a folder holds what ``zoo convert`` writes."""
    config = folder / native.CONFIG_NAME
    return config.is_file() and native.is_native(read_json_object(config))
