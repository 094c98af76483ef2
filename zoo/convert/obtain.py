"""From a source to what can be opened: a path on this disk, or a converted folder."""

from __future__ import annotations

from pathlib import Path

from zoo import cache
from zoo.convert import provenance
from zoo.convert.run import Options, convert
from zoo.convert.select import is_converted
from zoo.convert.source import Source, find_source
from zoo.talk import Talk


def converted_folder(text: str, talk: Talk) -> Path:
    """The converted checkpoint that SOURCE means, converted now where it is not yet.

    Raises:
        ZooError: it is not there, or converting failed.
    """
    source = find_source(text)
    if source.path is not None and source.path.is_dir() and is_converted(source.path):
        return source.path
    if source.path is None:
        folders = cache.converted(source.id)
        if folders:
            return min(folders, key=_is_cast)
    options = Options(command=("zoo", "convert", text))
    return convert(source, local_path(source), None, options, talk)


def _is_cast(folder: Path) -> bool:
    """A conversion that kept the source's type comes before one that did not."""
    return provenance.read(folder).dtype != "keep"
