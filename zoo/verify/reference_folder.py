"""A folder that the reference's library reads: the source's own files, or what they would be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo.convert.assemble import to_write
from zoo.convert.export import TARGETS
from zoo.convert.export.target import write_folder
from zoo.convert.provenance import Provenance
from zoo.convert.readers import Checkpoint
from zoo.convert.select import INDEX, WEIGHTS, Opened
from zoo.convert.tables import HF
from zoo.errors import ConfigError
from zoo.spec import CLIPSpec, PreprocessSpec, open_clip
from zoo.spec.open_clip import OPENAI_MEAN, OPENAI_STD

LIBRARIES = {"open_clip": "open_clip", "hf": "transformers"}  # by the family that each reads


def family_for(spec: CLIPSpec, record: Provenance) -> str:
    """Whose files to compare with: transformers' where they are the source, or where open_clip has
    no such model, as of one tower alone; open_clip's otherwise."""
    if record.source.format == HF.name:
        return HF.family
    try:
        open_clip.dump(spec)
    except ConfigError:
        return HF.family
    return "open_clip"


def make_folder(
    folder: Path, family: str, checkpoint: Checkpoint, spec: CLIPSpec, opened: Opened | None
) -> None:
    """Fills a folder for the library of a family.

    Args:
        folder: where; it is made.
        family: a key of ``LIBRARIES``.
        checkpoint: the stored tensors.
        spec: what they are.
        opened: the source, where it is at hand.
    """
    folder.mkdir()
    if opened is not None and _serves(opened, family, spec):
        for name, path in _links(opened, family).items():
            (folder / name).symlink_to(path.resolve())
        return
    target = TARGETS[family]
    whole = spec if spec.vision is None or spec.preprocess else _with_preprocess(spec)
    tensors = to_write(checkpoint, target.plan(spec), "keep")
    write_folder(folder, target, tensors, whole, lambda _: None)


def _serves(opened: Opened, family: str, spec: CLIPSpec) -> bool:
    """Whether the library reads the source as it is: torch refuses training checkpoints that hold
    more than tensors, and open_clip knows no shards."""
    return (
        opened.format.family == family
        and opened.stated.files != ()
        and not opened.stated.unsaid
        and opened.spec == spec
        and not opened.checkpoint.ignored
        and (family == HF.family or len(opened.checkpoint.files) == 1)
    )


def _links(opened: Opened, family: str) -> dict[str, Path]:
    """The source's files under the names that the library looks for."""
    first, *shards = opened.checkpoint.files
    pickled = opened.checkpoint.format != "safetensors"
    name = WEIGHTS[family][-1 if pickled else 0] + (INDEX if shards else "")
    return {name: first} | {path.name: path for path in (*shards, *opened.stated.files)}


def _with_preprocess(spec: CLIPSpec) -> CLIPSpec:
    """For a source that says nothing of it: parity only needs pictures, prepared in any one way."""
    assert spec.vision is not None
    preprocess = PreprocessSpec(
        size=spec.vision.image_size,
        mean=OPENAI_MEAN,
        std=OPENAI_STD,
        interpolation="bicubic",
        resize="shortest",
        fill=0,
    )
    return replace(spec, preprocess=preprocess)
