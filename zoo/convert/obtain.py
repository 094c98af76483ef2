"""From what a user names to files on this disk: downloaded, or converted, where that is needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zoo import cache
from zoo.convert import provenance
from zoo.convert.chunks import DTYPES
from zoo.convert.run import Options, convert
from zoo.convert.select import is_converted
from zoo.convert.source import Source, find_source, paths_told
from zoo.errors import UsageError
from zoo.files import check_target
from zoo.manifest import Manifest
from zoo.talk import Talk


def convert_source(
    source: Source, out: Path | None, options: Options, talk: Talk, *, revision: str | None = None
) -> Path:
    """Converts a source, which is downloaded first where it is not on this disk.

    Args:
        source: what to convert.
        out: the folder to make; None: the cache.
        options: what the user chose.
        talk: progress.
        revision: a commit, branch or tag of the repository; None: what the manifest pins, or the
            main branch's commit, which is recorded.

    Returns:
        The folder.

    Raises:
        UsageError: a revision of what has none; the source is only the cache's.
        ZooError: of every kind; nothing half made is left behind.
    """
    if source.path is not None:
        if revision is not None:
            raise UsageError("--revision is for a model of the hub", where=source.path)
        return convert(source, source.path, out, options, talk)
    if source.repo is None:
        raise UsageError(
            "a model that only the cache has is converted already",
            remedy="`zoo show MODEL` says what it came from. To convert it again, name that.",
        )
    if out is not None:  # before gigabytes come down
        check_target(out, replace=options.force)
    if options.family == "paddlemix" and source.manifest is not None:
        if revision is not None:
            raise UsageError("--revision is for the hub; PaddleMIX's files have none")
        return _convert_published(source, source.manifest, out, options, talk)
    from zoo.hub.download import fetch

    fetched = fetch(
        source.repo,
        revision=revision,
        manifest=source.manifest,
        family=options.family,
        talk=talk,
    )
    source = replace(source, commit=fetched.commit)
    options = replace(options, family=fetched.family)
    return convert(source, fetched.folder, out, options, talk)


def _convert_published(
    source: Source, manifest: Manifest, out: Path | None, options: Options, talk: Talk
) -> Path:
    """PaddleMIX's own conversion, from the address that the manifest names."""
    from zoo.hub.published import fetch_published

    folder = fetch_published(manifest, talk)
    source = replace(source, repo=manifest.source.paddlemix)
    return convert(source, folder, out, options, talk)


def converted_folder(text: str, talk: Talk) -> Path:
    """The converted checkpoint that SOURCE means, converted now where it is not yet.

    Raises:
        ZooError: it is not there, or converting failed.
    """
    with paths_told(text):
        return _converted(find_source(text), text, talk)


def _converted(source: Source, text: str, talk: Talk) -> Path:
    if source.path is not None and source.path.is_dir() and is_converted(source.path):
        return source.path
    if source.path is None:
        folders = cache.converted(source.id)
        if folders:
            return min(folders, key=_loss)
    return convert_source(source, None, Options(command=("zoo", "convert", text)), talk)


def _loss(folder: Path) -> tuple[bool, int]:
    """A conversion that kept the source's type comes before one that did not; of these, the one of
    the widest type, since the source's own may have been asked for by name."""
    record = provenance.read(folder)
    widths = (DTYPES[tensor.dtype].itemsize for tensor in record.tensors.values())
    return record.dtype != "keep", -min(widths, default=0)
