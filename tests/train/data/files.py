"""Shards and part files, made of a few pixels."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from pathlib import Path

from PIL import Image


def picture(kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), (9, 7, 99)).save(file, kind)
    return file.getvalue()


def write(path: Path, members: dict[str, bytes], *extra: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        for member in extra:
            archive.addfile(member)
    return path


def line(caption: str, *, key: str = "caption_en", size: int = 20) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size), (len(caption), 7, 99)).save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    return "\t".join(["0", "url", json.dumps({key: caption}), "x", "y", picture]).encode() + b"\n"
