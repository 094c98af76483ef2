"""Opening a checkpoint: recognise the file, read what it holds, find its shards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from zoo.convert.readers import pdparams, safetensors, torch_legacy, torch_zip
from zoo.convert.readers.checkpoint import Checkpoint
from zoo.convert.readers.contents import Contents
from zoo.convert.readers.mapped_file import MappedFile
from zoo.convert.readers.recognise import Kind, recognise
from zoo.convert.readers.sharded import check_shard, shards
from zoo.errors import FormatError, ZooError

READERS = {
    Kind.SAFETENSORS: safetensors.read,
    Kind.ZIP: torch_zip.read,
    Kind.TORCH_LEGACY: torch_legacy.read,
    Kind.PDPARAMS: pdparams.read,
}


def open_checkpoint(path: Path) -> Checkpoint:
    """Opens a checkpoint whatever its format, and reads all but its tensors.

    Args:
        path: a safetensors file, a file that torch.save or paddle.save wrote, or the index of a
            checkpoint in shards. Content decides, not the name.

    Raises:
        FormatError: it is none of these, is damaged, or names something to be run.
        TruncatedError: it is cut short.
        PathError: it is no regular file, or an index names a file elsewhere.
        NotFoundError: it, or a shard, is not there.
        AccessError, DiskError: it can't be read.
    """
    with ExitStack() as opened, _located(path):
        file = opened.enter_context(MappedFile(path))
        if recognise(file) is Kind.JSON:
            checkpoint = Checkpoint(_shards(file, opened), index=file)
        else:
            checkpoint = Checkpoint([(file, _contents(file))], index=None)
        opened.pop_all()  # from here on the checkpoint closes its files
    return checkpoint


def open_parts(parts: Mapping[str, Path]) -> Checkpoint:
    """Opens the files that the ranks of a parallel run left, all of which have the same names.

    Args:
        parts: each file, by what its names get for a beginning.

    Raises:
        ZooError: what ``open_checkpoint`` raises.
    """
    with ExitStack() as opened:
        found = []
        for prefix, path in parts.items():
            with _located(path):
                file = opened.enter_context(MappedFile(path))
                contents = _contents(file)
            layouts = {prefix + name: layout for name, layout in contents.layouts.items()}
            found.append((file, replace(contents, layouts=layouts)))
        checkpoint = Checkpoint(found, index=None)
        opened.pop_all()
    return checkpoint


def _shards(index: MappedFile, opened: ExitStack) -> list[tuple[MappedFile, Contents]]:
    parts = []
    for path, promised in shards(index).items():
        with _located(path):
            file = opened.enter_context(MappedFile(path))
            contents = _contents(file)
            check_shard(contents.layouts, promised)
        parts.append((file, contents))
    return parts


def _contents(file: MappedFile) -> Contents:
    kind = recognise(file)
    if kind is Kind.JSON:
        raise FormatError("this looks like JSON, and a shard holds tensors")
    return READERS[kind](file)


@contextmanager
def _located(path: Path) -> Iterator[None]:
    """Adds the path to errors of those who see bytes only."""
    try:
        yield
    except ZooError as error:
        error.where = error.where or str(path)
        raise
