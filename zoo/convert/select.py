"""Which files are the checkpoint: weights by the names people use, the format by its keys."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from zoo.convert.readers import Checkpoint, open_checkpoint, open_parts
from zoo.convert.readers.layout import shown
from zoo.convert.stated import CONFIGS, Stated, read_stated
from zoo.convert.tables import Format, is_paddlenlp, recognise
from zoo.convert.tables.rows import part_names
from zoo.errors import FormatError, NotFoundError, UsageError
from zoo.spec import CLIPSpec, native
from zoo.spec.fields import read_json_object

# Per family, in the order of preference; each may also be in shards.
WEIGHTS = {
    "open_clip": (
        "open_clip_model.safetensors",
        "open_clip_pytorch_model.safetensors",
        "open_clip_pytorch_model.bin",
    ),
    "hf": ("model.safetensors", "pytorch_model.bin"),
    "paddlemix": ("model_state.pdparams", "model_state.tp00.pdparams"),
}
INDEX = ".index.json"  # behind a weight file's name: the index of its shards
PART = re.compile(r"model_state\.tp(\d\d)\.pdparams")  # of a tensor-parallel run
SHARD = re.compile(r"-\d{5}-of-\d{5}")  # in the name of one of several files
SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".pdparams")
ACCEPTED = (
    "zoo reads CLIP checkpoints of open_clip and Hugging Face transformers (.safetensors, .bin, "
    ".pt) and of PaddleMIX (.pdparams)."
)

PROGRAMS_NAME = "inference.json"  # of the deployed form


@dataclass(frozen=True, kw_only=True)
class Opened:
    """An open checkpoint, what it is, and what its configuration says it computes."""

    checkpoint: Checkpoint
    format: Format
    stated: Stated
    others: tuple[str, ...]  # families that lie in the same folder and were not taken

    @property
    def spec(self) -> CLIPSpec:
        return self.stated.spec

    @property
    def files(self) -> tuple[Path, ...]:
        """Everything that was read, configuration first."""
        return (*self.stated.files, *self.checkpoint.files)

    @property
    def nbytes(self) -> int:
        """Bytes of all files."""
        return sum(file.stat().st_size for file in self.files)


def open_source(path: Path, *, family: str | None = None, spec: CLIPSpec | None = None) -> Opened:
    """Opens a folder or a weight file; no tensor is read.

    Args:
        path: a folder in a known format, or one weight file or index.
        family: the family to take where a folder holds several; None: the first that is there.
        spec: what the weights are, as far as no configuration says it (``--arch``).

    Raises:
        NotFoundError: no weights, or no configuration, are there.
        UsageError: several weight files and no way to choose; weights of another family than the
            one asked for; a specification that is missing or one too many.
        FormatError: the weights are no CLIP that zoo knows.
    """
    weights = find_weights(path, family) if path.is_dir() else path
    with ExitStack() as stack:
        checkpoint = stack.enter_context(_open(weights))
        form = recognise(checkpoint.tensors)
        if form is None and is_paddlenlp(checkpoint.tensors):
            raise FormatError(
                "these are PaddleNLP's names, which zoo writes and does not read",
                where=weights,
                remedy="Convert what it was exported from.",
            )
        if form is None:
            some = ", ".join(map(shown, list(checkpoint.tensors)[:3])) or "none at all"
            raise FormatError(
                f"these tensors are no CLIP that zoo knows: {some}, ...",
                where=weights,
                remedy=ACCEPTED,
            )
        if family not in (None, form.family):
            raise UsageError(
                f"by its tensors this is {form.name}, not {family}",
                where=weights,
                remedy=f"Leave --from out, or say --from {form.family}.",
            )
        stated = _stated(weights, form.family, spec)
        stack.pop_all()  # from here on the caller closes it
    others = (name for name in WEIGHTS if name != form.family and _named(weights.parent, name))
    return Opened(checkpoint=checkpoint, format=form, stated=stated, others=tuple(others))


def _open(weights: Path) -> Checkpoint:
    """A file, an index of shards, or the first of a parallel run's parts, with all of them."""
    match = PART.fullmatch(weights.name)
    if match is None:
        return open_checkpoint(weights)
    pattern = weights.name.replace(match[1], "[0-9][0-9]")
    parts = part_names(len(list(weights.parent.glob(pattern))))
    names = (weights.name.replace(match[1], f"{rank:02}") for rank in range(len(parts)))
    return open_parts(
        {part: weights.parent / name for part, name in zip(parts, names, strict=True)}
    )


def _stated(weights: Path, family: str, given: CLIPSpec | None) -> Stated:
    """What the weights compute, by their configuration and by the caller."""
    stated = read_stated(family, weights.parent)
    if stated is not None and given is not None:
        if not stated.unsaid:
            raise UsageError(
                f"{stated.files[0].name} says what these weights are; --arch is for weights "
                "without one",
                where=stated.files[0],
            )
        return Stated(spec=stated.completed(given), files=stated.files)
    if stated is not None:
        return stated
    if given is None:
        raise UsageError(
            f"{weights.name} has no {CONFIGS[family][0]} beside it",
            where=weights.parent,
            remedy="Name the architecture: --arch ViT-B-32 (as open_clip calls it), or a JSON "
            "file with open_clip's model configuration.",
        )
    return Stated(spec=given)


def find_weights(folder: Path, family: str | None) -> Path:
    """The weight file of a folder, or its index.

    Raises:
        NotFoundError: there is none, or the index of shards is missing.
        UsageError: there are several of names that say nothing.
    """
    if is_converted(folder):
        raise UsageError(
            "this folder is a converted checkpoint already",
            where=folder,
            remedy="Use it as it is; for another --dtype, convert what it was converted from.",
        )
    for name in WEIGHTS if family is None else (family,):
        found = _named(folder, name)
        if found is not None:
            return found
    others = sorted(p for p in folder.iterdir() if p.suffix in SUFFIXES and p.is_file())
    if len(others) == 1:
        return others[0]
    if not others:
        raise NotFoundError("no weights are here", where=folder, remedy=ACCEPTED)
    whole = {re.sub(SHARD, "", path.name) for path in others}
    if len(whole) == 1:
        raise NotFoundError(
            f"these are shards, and the index that puts them together is not here: {whole.pop()}"
            f"{INDEX}",
            where=folder,
            remedy="Bring it from where the shards come from.",
        )
    names = ", ".join(path.name for path in others)
    known = "" if family is None else f"; {family}'s is called {' or '.join(WEIGHTS[family])}"
    raise UsageError(
        f"several weight files: {names}",
        where=folder,
        remedy=f"Name one of them instead of the folder{known}.",
    )


def _named(folder: Path, family: str) -> Path | None:
    """The preferred file among those that are named as the family names its weights."""
    names = (name + suffix for name in WEIGHTS[family] for suffix in ("", INDEX))
    return next((folder / name for name in names if (folder / name).is_file()), None)


def is_converted(folder: Path) -> bool:
    """Whether a folder holds what ``zoo convert`` writes; programs have the same configuration."""
    config = folder / native.CONFIG_NAME
    if not config.is_file() or (folder / PROGRAMS_NAME).is_file():
        return False
    return native.is_native(read_json_object(config))
