"""What a library wants to find in a folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.convert.plan import Plan, export_plan
from zoo.convert.stream import Tensor, Written
from zoo.convert.tables import Format, rows_for
from zoo.convert.writer import aligned, write_safetensors
from zoo.spec import CLIPSpec

Advance = Callable[[int], object]
Files = Mapping[str, bytes]  # by their paths in the folder
WriteWeights = Callable[[Path, Sequence[Tensor], Advance], dict[str, Written]]


@dataclass(frozen=True, kw_only=True)
class Target:
    """One library's folder.

    Attributes:
        library: as people call it.
        format: how it names and lays its tensors.
        weights: the weight file's name.
        write: writes that file.
        files: everything beside it; raises ConfigError for a model that the library has not.
        warnings: what the library would compute otherwise than the model, in words.
    """

    library: str
    format: Format
    weights: str
    write: WriteWeights
    files: Callable[[CLIPSpec], Files]
    warnings: Callable[[CLIPSpec], Sequence[str]] = lambda spec: ()

    def plan(self, spec: CLIPSpec) -> Plan:
        """The way from the native tensors to the library's.

        Raises:
            MappingError: the library has no place for one of them.
        """
        return export_plan(rows_for(self.format, spec), spec)


def write_folder(
    folder: Path, target: Target, tensors: Sequence[Tensor], spec: CLIPSpec, advance: Advance
) -> dict[str, Written]:
    """Fills an empty folder.

    Raises:
        ConfigError: the library has no such model.
        DiskError, AccessError, OSError: as the system says.
    """
    for name, data in target.files(spec).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return target.write(folder / target.weights, tensors, advance)


def write_for_torch(path: Path, tensors: Sequence[Tensor], advance: Advance) -> dict[str, Written]:
    """Safetensors in the order in which the safetensors library itself writes them."""
    by_name = sorted(tensors, key=lambda tensor: tensor.name)
    return write_safetensors(path, aligned(by_name), metadata={"format": "pt"}, advance=advance)
