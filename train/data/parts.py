"""LAION's part files as PaddleMIX reads them: a sample in each line.

PATHS      a text file, one part file in a line, plain or .gz
part file  columns between tabs; the third is JSON with caption_en or blip_caption_en, the
           sixth the picture in base64
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from train.data.records import Draw, without_overlap
from zoo.errors import DatasetError, FormatError, NotFoundError, as_zoo_error
from zoo.inputs.images import open_image

CAPTION, PICTURE = 2, 5  # columns
MAX_LINE = 2**26  # bytes, which gzip can make of a thousandth; LAION's pictures have a few MB
SMALLEST = 5  # pixels of a side; smaller pictures are left out


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The part files of a list."""

    paths: list[Path]

    def records(self, path: Path) -> Iterator[bytes]:
        """The lines of a part.

        Raises:
            FormatError: it is damaged gzip.
            DiskError, AccessError: as the system says.
        """
        try:
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                while line := file.readline(MAX_LINE + 1):
                    if len(line) > MAX_LINE:
                        raise FormatError(f"a line of more than {MAX_LINE} bytes", where=path)
                    yield line
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise FormatError(f"damaged gzip: {error}", where=path) from None
        except OSError as error:
            raise as_zoo_error(error, path) from error

    def decode(self, record: bytes) -> tuple[str, Image.Image]:
        return read_line(record)

    def passes(self, seed: Sequence[int], reader: int, readers: int) -> Draw:
        return without_overlap(len(self.paths), seed, reader, readers)


def read_parts(path: Path) -> Parts:
    """Reads a list of part files.

    Raises:
        NotFoundError: the list, or a part that it names, is not there.
        DatasetError: it names none, or is no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except FileNotFoundError:
        raise NotFoundError("there is no such list of part files", where=path) from None
    except UnicodeDecodeError:
        raise DatasetError("a list of part files is text", where=path) from None
    paths = [Path(line.strip()) for line in lines if line.strip()]
    for part in paths:
        if not part.is_file():
            raise NotFoundError(f"there is no such part file, which {path} names", where=part)
    if not paths:
        raise DatasetError("the list names no part file", where=path)
    return Parts(paths=paths)


def read_line(line: bytes) -> tuple[str, Image.Image]:
    """A line's caption and picture.

    Raises:
        FormatError: it has too few columns, or one is not what it should be.
        TruncatedError: the picture is cut off.
    """
    columns = _text(line).rstrip("\r\n").split("\t")
    if len(columns) <= PICTURE:
        raise FormatError(f"{len(columns)} columns; at least {PICTURE + 1} are needed")
    try:
        facts = json.loads(columns[CAPTION])
        data = base64.b64decode(columns[PICTURE], validate=True)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"broken JSON or base64: {error}") from None
    captions = facts if isinstance(facts, dict) else {}
    caption = captions.get("caption_en") or captions.get("blip_caption_en")
    if not isinstance(caption, str):
        raise FormatError("no caption_en and no blip_caption_en")
    image = open_image("its picture", data)
    if min(image.size) < SMALLEST:
        raise FormatError(f"a picture of {image.width} x {image.height} pixels")
    return caption, image


def _text(line: bytes) -> str:
    for encoding in ("utf-8", "gb18030"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FormatError("neither UTF-8 nor GB 18030")
