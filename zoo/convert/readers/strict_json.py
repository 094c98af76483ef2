"""JSON as a file format's header: one object, no duplicate keys, nothing Python adds to JSON."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from zoo.convert.readers.layout import shown
from zoo.errors import FormatError


def parse_object(data: memoryview, *, what: str) -> dict[str, Any]:
    """The JSON object that ``data`` holds; ``what`` names it in messages.

    Raises:
        FormatError: it is not UTF-8, not JSON, not an object, nested too deeply, or repeats a key.
    """
    try:
        document = json.loads(
            str(data, "utf-8"), object_pairs_hook=_unique, parse_constant=_constant
        )
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} is not UTF-8 at its byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise FormatError(f"{what} is not JSON: {error.msg} at its byte {error.pos}") from error
    except RecursionError as error:
        raise FormatError(f"{what} is nested too deeply") from error
    except ValueError as error:  # a number of more digits than Python converts
        raise FormatError(f"{what} holds a number that is too long") from error
    if not isinstance(document, dict):
        raise FormatError(f"{what} is not a JSON object")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise FormatError(f"the key {shown(key)} appears twice")
        found[key] = value
    return found


def _constant(name: str) -> NoReturn:
    raise FormatError(f"{name} is not JSON")
