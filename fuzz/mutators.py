"""What the fuzzer makes of an input, beside flipping its bytes: damage in a frame that still fits.

Bytes flipped at random seldom get past a length, a checksum or JSON's grammar. A mutator here takes
an input apart, damages one part, and puts the frame around it again: the header's length, the
archive's directory, the record's digest. Half of the time, and where an input can't be taken
apart, libFuzzer does as it likes.
"""

from __future__ import annotations

import io
import json
import pickletools
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

from tests.bad_inputs.checkpoint import archive
from zoo.files import pretty_json, self_digest

Bytes = Callable[[bytes], bytes]  # libFuzzer's own mutation
Mutator = Callable[[bytes, random.Random, Bytes], bytes]

ODD: tuple[Any, ...] = (
    *(0, 1, -1, 7, 2**31, 2**32 - 1, 2**63, 2**64, 10**300, 0.5, -0.0, 1e-320, 1e308),
    *(True, False, None, "", "a", "../a", "\0", "\ud800", "\U0001f99c", "x" * 300, [], {}),
)
DEEP, MARK = b"[" * 3000 + b"]" * 3000, "nested deeply"
OPCODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


def json_value(value: Any, draw: random.Random, change: Bytes) -> Any:
    """A document with something else in one place."""
    if isinstance(value, dict | list) and value and draw.random() < 0.9:
        key = draw.choice(list(value) if isinstance(value, dict) else range(len(value)))
        match draw.randrange(12):
            case 0:
                del value[key]
            case 1 if isinstance(value, dict):
                value[draw.choice(list(value)) + draw.choice(("", "x"))] = value[key]
            case 1 if isinstance(value, list):
                value.insert(key, value[key])
            case 2 if isinstance(value, dict):
                value[str(json_value(key, draw, change))] = value.pop(key)
            case _:
                value[key] = json_value(value[key], draw, change)
        return value
    if isinstance(value, str) and draw.random() < 0.4:
        return change(value.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
    if type(value) in (int, float) and draw.random() < 0.4:
        return value + draw.choice((-1, 1, 0.5, value, -2 * value))
    return draw.choice((*ODD, MARK))


def deepened(text: bytes) -> bytes:
    """With lists in lists where the mark stands, which json can't write."""
    return text.replace(json.dumps(MARK).encode(), DEEP)


def json_text(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    return deepened(json.dumps(json_value(json.loads(data), draw, change)).encode())


def record(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """Provenance or evidence whose digest is right all the same."""
    document = json_value(json.loads(data), draw, change)
    if isinstance(document, dict):
        document["digest"] = self_digest(document)
    return deepened(pretty_json(document))


def safetensors(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """Another header, its length put right."""
    (length,) = struct.unpack("<Q", data[:8])
    header = json_text(data[8 : 8 + length], draw, change)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def rearrange(parts: list[Any], at: int, draw: random.Random) -> None:
    """One part less, another one twice, or both in each other's place."""
    other = draw.randrange(len(parts))
    match draw.randrange(3):
        case 0:
            del parts[at]
        case 1:
            parts.insert(at, parts[other])
        case _:
            parts[at], parts[other] = parts[other], parts[at]


def pickle(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """A pickle with an opcode less, twice, elsewhere, new, or with another argument."""
    starts = [position for _, _, position in pickletools.genops(data) if position is not None]
    end = starts[-1] + 1
    parts = [data[a:b] for a, b in zip(starts, [*starts[1:], end], strict=True)]
    at = draw.randrange(len(parts))
    match draw.randrange(6):
        case 0 | 1 | 2:
            rearrange(parts, at, draw)
        case 3:
            parts.insert(at, draw.choice(OPCODES))
        case _:
            parts[at] = parts[at][:1] + change(parts[at][1:] or b"\0")
    return b"".join(parts) + data[end:]


def pickles(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """One of several pickles that follow each other."""
    ends, rest = [0], io.BytesIO(data)
    try:
        while len(ends) <= 5:
            for _ in pickletools.genops(rest):
                pass
            ends.append(rest.tell())
    except ValueError:  # what follows is no pickle
        pass
    start = draw.choice(ends[:-1] or ends)
    return data[:start] + pickle(data[start:], draw, change)


def torch_zip(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """An archive with another pickle, name or record in it."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        records = {name: file.read(name) for name in file.namelist()}
    name = draw.choice(list(records))
    if draw.random() < 0.6:
        name = next(name for name in records if name.endswith("data.pkl"))
        records[name] = pickle(records[name], draw, change)
    elif draw.random() < 0.5:
        records[name] = change(records[name])
    else:
        records[change(name.encode()).decode("latin-1").replace("\0", "0")] = records.pop(name)
    return archive(records)


def toml(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """A manifest with a line less, twice, elsewhere, or with another value."""
    lines = data.decode().splitlines()
    at = draw.randrange(len(lines))
    match draw.randrange(5):
        case 0 | 1 | 2:
            rearrange(lines, at, draw)
        case 3:
            lines[at] = change(lines[at].encode() or b"a").decode("utf-8", "replace")
        case _:
            lines[at] = f"{lines[at].partition('=')[0]}= {json.dumps(draw.choice(ODD))}"
    return "\n".join(lines).encode() + b"\n"


def opening(data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """Whatever an input is, as its own mutator damages it."""
    if data.startswith(b"PK"):
        return torch_zip(data, draw, change)
    if data[8:9] == b"{":  # before the next: a header's length may be 128
        return safetensors(data, draw, change)
    return (pickles if data.startswith(b"\x80") else json_text)(data, draw, change)


MUTATORS: dict[str, Mutator] = {
    "safetensors": safetensors,
    "torch_zip": torch_zip,
    "torch_legacy": pickles,
    "pdparams": pickle,
    "opening": opening,
    "from_afar": opening,
    "manifest": toml,
    "provenance": record,
    "evidence": record,
}


def mutate(target: str, data: bytes, draw: random.Random, change: Bytes) -> bytes:
    """Another input for a target."""
    if draw.random() < 0.5:
        try:
            return MUTATORS.get(target, json_text)(data, draw, change)
        except Exception:  # whatever the parts of a damaged input fail with
            pass
    return change(data)
