"""Pictures and captions as annotation files list them."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DatasetError, NotFoundError


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """As many pictures as captions; a picture with several captions is there once for each."""

    paths: list[str]
    captions: list[str]

    def __len__(self) -> int:
        return len(self.paths)


def read_json(path: Path, image_root: Path) -> Pairs:
    """A JSON list of objects with ``caption`` and ``image``, a path below ``image_root``.

    Raises:
        NotFoundError: there is no such file.
        DatasetError: it is not JSON, or an entry lacks one of the two.
    """
    try:
        entries = json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise DatasetError(
            f"broken JSON in line {error.lineno}, column {error.colno}: {error.msg}", where=path
        ) from None
    except RecursionError:
        raise DatasetError("JSON nested too deep", where=path) from None
    if not isinstance(entries, list):
        raise DatasetError("a JSON list of annotations belongs here", where=path)
    pairs = Pairs(paths=[], captions=[])
    for number, entry in enumerate(entries):
        pairs.paths.append(str(image_root / _field(entry, "image", number, path)))
        pairs.captions.append(_field(entry, "caption", number, path))
    return pairs


def _field(entry: Any, name: str, number: int, path: Path) -> str:
    value = entry.get(name) if isinstance(entry, dict) else None
    if not isinstance(value, str):
        raise DatasetError(f"annotation {number} has no text {name!r}", where=path)
    return value


def read_csv(
    path: Path, *, image_key: str, caption_key: str, separator: str, image_root: Path
) -> Pairs:
    """open_clip's CSV: a header, then a picture and a caption in every row.

    Args:
        path: the file.
        image_key: column of image paths, absolute or below ``image_root``.
        caption_key: column of captions.
        separator: one character.
        image_root: a folder.

    Raises:
        NotFoundError: there is no such file.
        DatasetError: a column is missing, in the header or in a row.
    """
    rows = csv.DictReader(_text(path).splitlines(), delimiter=separator)
    header = rows.fieldnames or []
    for key in (image_key, caption_key):
        if key not in header:
            raise DatasetError(
                f"there is no column {key!r}; the columns are {', '.join(header)}",
                where=path,
                remedy="Name them with --csv_img_key, --csv_caption_key and --csv_separator.",
            )
    pairs = Pairs(paths=[], captions=[])
    for row in rows:
        image, caption = row[image_key], row[caption_key]
        if image is None or caption is None:
            raise DatasetError(f"line {rows.line_num} has too few columns", where=path)
        pairs.paths.append(str(image_root / image))
        pairs.captions.append(caption)
    return pairs


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotFoundError("there are no such annotations", where=path) from None
    except UnicodeDecodeError as error:
        raise DatasetError(f"the annotations are not UTF-8: {error}", where=path) from None
