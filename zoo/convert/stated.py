"""What the configuration beside the weights states; each family keeps its own files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from zoo.spec import CLIPSpec, hf, hf_preprocessor, open_clip, paddlemix, paddlemix_processor
from zoo.spec.fields import read_json_object

Unsaid = Literal["preprocess", "vision.activation"]


@dataclass(frozen=True, kw_only=True)
class Stated:
    """A specification, the files it was read from, and what they have no word for: there the
    specification holds a placeholder."""

    spec: CLIPSpec
    files: tuple[Path, ...] = ()
    unsaid: frozenset[Unsaid] = frozenset()

    def completed(self, by: CLIPSpec) -> CLIPSpec:
        """The specification, with what it lacks taken from another."""
        spec = self.spec
        if "preprocess" in self.unsaid:
            spec = replace(spec, preprocess=by.preprocess)
        if "vision.activation" in self.unsaid and spec.vision and by.vision:
            spec = replace(spec, vision=replace(spec.vision, activation=by.vision.activation))
        return spec


def _open_clip(folder: Path) -> Stated:
    config = folder / open_clip.CONFIG_NAME
    return Stated(spec=open_clip.read(config), files=(config,))


def _hf(folder: Path) -> Stated:
    config = folder / hf.CONFIG_NAME
    spec = hf.parse(read_json_object(config), config.name)
    if spec.vision is None:
        return Stated(spec=spec, files=(config,))
    found = hf_preprocessor.read(folder, image_size=spec.vision.image_size)
    if found is None:
        return Stated(spec=spec, files=(config,), unsaid=frozenset({"preprocess"}))
    preprocess, path = found
    return Stated(spec=replace(spec, preprocess=preprocess), files=(config, path))


def _paddlemix(folder: Path) -> Stated:
    config = folder / paddlemix.CONFIG_NAME
    spec, says_activation = paddlemix.parse(read_json_object(config), config.name)
    assert spec.vision is not None
    files, unsaid = [config], set[Unsaid]()
    if not says_activation:
        unsaid.add("vision.activation")
    processor = folder / paddlemix_processor.EVAL / paddlemix_processor.IMAGE_NAME
    if processor.is_file():
        files.append(processor)
        preprocess = paddlemix_processor.parse(
            read_json_object(processor), processor.name, image_size=spec.vision.image_size
        )
        spec = replace(spec, preprocess=preprocess)
    else:
        unsaid.add("preprocess")
    return Stated(spec=spec, files=tuple(files), unsaid=frozenset(unsaid))


# Per family the file that has to be there, and who reads it.
CONFIGS: dict[str, tuple[str, Callable[[Path], Stated]]] = {
    "open_clip": (open_clip.CONFIG_NAME, _open_clip),
    "hf": (hf.CONFIG_NAME, _hf),
    "paddlemix": (paddlemix.CONFIG_NAME, _paddlemix),
}


def read_stated(family: str, folder: Path) -> Stated | None:
    """What the family's files in a folder state; None where the needed one is not there.

    Raises:
        ConfigError, FormatError: one is not what its format demands.
    """
    name, read = CONFIGS[family]
    return read(folder) if (folder / name).is_file() else None
