"""JSON from outside: one object, no key twice, nothing that Python adds to JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from zoo.errors import FormatError

SHOWN = 80  # characters of a key in a message


def parse_object(
    data: bytes | memoryview, *, what: str, where: Path | None = None
) -> dict[str, Any]:
    """The JSON object that ``data`` holds; ``what`` names it in messages.

    Raises:
        FormatError: it is not UTF-8, not JSON, not an object, nested too deeply, repeats a key, or
            holds a number that is not finite or too long.
    """
    text = ""
    try:
        text = str(data, "utf-8")
        document = json.loads(
            text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite
        )
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} is not UTF-8 at its byte {error.start}", where=where) from None
    except json.JSONDecodeError as error:
        at = len(text[: error.pos].encode())
        raise FormatError(
            f"{what} is not JSON: {error.msg} at its byte {at}", where=where
        ) from None
    except RecursionError:
        raise FormatError(f"{what} is nested too deeply", where=where) from None
    except _Refused as error:
        raise FormatError(f"{what} is refused: {error}", where=where) from None
    except ValueError:  # more digits than Python converts
        raise FormatError(f"{what} holds a number that is too long", where=where) from None
    if not isinstance(document, dict):
        raise FormatError(f"{what} is not a JSON object", where=where)
    return document


class _Refused(ValueError):
    """JSON as Python reads it, and not as it is meant."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _Refused(f"the key {key[:SHOWN]!a} appears twice")
        found[key] = value
    return found


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Refused(f"{text[:SHOWN]} is no finite number")
    return value
