"""A tensor whose elements do not lie in a file as they are: in several runs, or as text.

Pickles of protocol 2 have no bytes: pickle writes each as the character of its number, in UTF-8, so
that those from 128 on take two bytes. ``paddle.save`` cuts large arrays up below protocol 4.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zoo.convert.readers.layout import Extent, Layout, TensorInfo
from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import FormatError

CHUNK = 4 * 2**20  # bytes of text decoded at a time


@dataclass(frozen=True, slots=True)
class LongText:
    """Text in a file that is too long for a name: where its UTF-8 lies."""

    offset: int
    nbytes: int


Piece = Extent | LongText | bytes


def can_be(piece: Piece, nbytes: int) -> bool:
    """Whether so many bytes can be in a piece, as far as that can be told without reading it."""
    match piece:
        case LongText(nbytes=length):
            return nbytes <= length <= 2 * nbytes
        case Extent(nbytes=length):
            return nbytes == length
    return nbytes == len(piece)


@dataclass(frozen=True, kw_only=True)
class Pieces(TensorInfo):
    """A tensor in several pieces, one after the other; ``fortran``: the first axis varies first."""

    pieces: tuple[Piece, ...]
    fortran: bool = False

    def array(self, file: MappedFile) -> NDArray[Any]:
        """A read-only copy.

        Raises:
            FormatError: a text is not bytes written as text, or not of so many.
        """
        elements = np.empty(self.nbytes, np.uint8)
        end = 0
        for chunk in self._chunks(file):
            start, end = end, end + len(chunk)
            if end > self.nbytes:
                break
            elements[start:end] = np.frombuffer(chunk, np.uint8)
        if end != self.nbytes:
            raise FormatError(
                f"an array needs {self.nbytes} bytes, and its text has "
                f"{'more' if end > self.nbytes else end}",
                where=file.path,
            )
        elements.flags.writeable = False
        flat: NDArray[Any] = elements.view(self.dtype)
        return flat.reshape(self.shape, order="F" if self.fortran else "C")

    def _chunks(self, file: MappedFile) -> Iterator[bytes | memoryview]:
        for piece in self.pieces:
            match piece:
                case LongText():
                    yield from _decoded(file, piece)
                case Extent(offset, nbytes):
                    yield file.view(offset, nbytes)
                case _:
                    yield piece


Stored = Layout | Pieces


def _decoded(file: MappedFile, text: LongText) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    end = text.offset + text.nbytes
    try:
        for start in range(text.offset, end, CHUNK):
            part = file.view(start, min(CHUNK, end - start))
            yield decoder.decode(part, final=start + CHUNK >= end).encode("latin-1")
    except UnicodeError as error:
        raise FormatError(
            f"the text at byte {text.offset} is not bytes written as text", where=file.path
        ) from error
