"""Checkpoint: the tensors of a file, or of its shards, each read when it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

from numpy.typing import NDArray

from zoo.convert.readers.contents import Contents
from zoo.convert.readers.layout import TensorInfo, shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import FormatError

WRAPPER = "module."  # what torch's DistributedDataParallel puts before every name


class Checkpoint:
    """An open checkpoint; a context manager that closes it.

    Attributes:
        format: "safetensors", "torch-zip" or "torch-legacy".
        files: every file it was read from, the index of shards first where there is one.
        tensors: type and shape of every tensor, in file order; without DistributedDataParallel's
            prefix.
        ignored: what else the file holds, such as "optimizer", and a word or two on each.

    Raises:
        FormatError: the shards are of several formats, only some names have the prefix
            ``module.``, or a name is not Unicode.
    """

    def __init__(
        self,
        parts: Sequence[tuple[MappedFile, Contents]],
        *,
        index: MappedFile | None,
    ) -> None:
        formats = sorted({contents.format for _, contents in parts})
        if len(formats) != 1:
            raise FormatError(f"the shards are of several formats: {', '.join(formats)}")
        self.format = formats[0]
        self._files = [*([index] if index else []), *(file for file, _ in parts)]
        self.files: tuple[Path, ...] = tuple(file.path for file in self._files)
        places = {
            name: (file, layout)
            for file, contents in parts
            for name, layout in contents.layouts.items()
        }
        self._places = dict(zip(_plain(places), places.values(), strict=True))
        self.tensors: Mapping[str, TensorInfo] = MappingProxyType(
            {name: layout for name, (_, layout) in self._places.items()}
        )
        self.ignored: Mapping[str, str] = MappingProxyType(
            {name: word for _, contents in parts for name, word in contents.ignored.items()}
        )

    def tensor(self, name: str) -> NDArray[Any]:
        """A tensor as a read-only view on its file, strided where the file's is.

        A copy where the elements do not lie in the file as they are (readers/pieces.py). It stays
        valid after the checkpoint is closed.

        Raises:
            KeyError: there is no such tensor.
            FormatError: the file writes elements as text, and the text is damaged.
            DigestError: the file has changed since it was opened.
        """
        file, layout = self._places[name]
        return layout.array(file)

    def check_unchanged(self) -> None:
        """Asks the file system whether every file is still the one that was opened.

        Raises:
            DigestError: one has another size, time of change or inode, or has gone.
        """
        for file in self._files:
            file.check_unchanged()

    def close(self) -> None:
        for file in self._files:
            file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def _plain(names: Iterable[str]) -> list[str]:
    """The names, with the prefix that all or none of them have removed."""
    wrapped: list[str] = []
    plain: list[str] = []
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise FormatError(f"the tensor name {shown(name)} is not Unicode") from error
        (wrapped if name.startswith(WRAPPER) else plain).append(name)
    if wrapped and plain:
        raise FormatError(
            f"some names have the prefix {WRAPPER!r}, as {shown(wrapped[0])}, "
            f"and some have not, as {shown(plain[0])}"
        )
    return plain or [name.removeprefix(WRAPPER) for name in wrapped]
