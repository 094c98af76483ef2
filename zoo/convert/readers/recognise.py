"""What a file is, by its first bytes; its name says nothing."""

from __future__ import annotations

import re
from enum import Enum, auto

from zoo.convert.readers.layout import shown
from zoo.convert.readers.mapped_file import MappedFile
from zoo.errors import FormatError

ACCEPTED = (
    "Accepted are safetensors files, files that torch.save (.bin, .pt) or paddle.save (.pdparams) "
    "wrote, and the .index.json of a checkpoint in shards."
)
HEAD = 512  # bytes; a tar archive's mark ends at 262

LOOKALIKES: dict[bytes, str] = {
    rb"\s*<(!doctype html|html|\?xml)": "a web page, not the file it should link to",
    rb"version https://git-lfs\.github\.com/spec/": "a git LFS pointer, not the file itself",
    rb"\x1f\x8b": "gzip",
    rb"BZh": "bzip2",
    rb"\xfd7zXZ": "xz",
    rb"\x28\xb5\x2f\xfd": "zstd",
    rb"PK\x05\x06": "an empty zip archive",
    rb".{257}ustar": "a tar archive",
    rb"\x89HDF": "HDF5",
    rb"\x93NUMPY": "a numpy array",
    rb"GGUF": "GGUF",
    rb"c[\w.]+\n[\w.]+\n": "a pickle of protocol 0, which no checkpoint has",
}
PICKLE = rb"\x80[\x02-\x05]"
# torch.save's first value is a number of ten bytes; in protocol 4 a frame's length precedes it.
TORCH_LEGACY = PICKLE + rb"(\x95.{8})?\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"


class Kind(Enum):
    """What open_checkpoint reads."""

    SAFETENSORS = auto()
    ZIP = auto()
    TORCH_LEGACY = auto()
    PDPARAMS = auto()
    JSON = auto()


def recognise(file: MappedFile) -> Kind:
    """The kind of a file.

    Raises:
        FormatError: it is none that is read; the message says what it looks like.
    """
    head = bytes(file.view(0, min(file.size, HEAD)))
    text = _is_text(head)
    if head.startswith(b"PK\x03\x04"):
        return Kind.ZIP
    if text and head.lstrip().startswith(b"{"):
        return Kind.JSON
    if head[8:9] == b"{" and not text:
        return Kind.SAFETENSORS
    if re.match(PICKLE, head):
        return Kind.TORCH_LEGACY if re.match(TORCH_LEGACY, head, re.DOTALL) else Kind.PDPARAMS
    raise FormatError(f"this {_looks(head, text)}", remedy=ACCEPTED)


def _is_text(head: bytes) -> bool:
    """Whether the first bytes are text; the first eight of safetensors are a small number."""
    return re.fullmatch(rb"[\t\n\r\x20-\x7e]{8}", head[:8]) is not None


def _looks(head: bytes, text: bool) -> str:
    if len(head) <= 8:
        return f"file has {len(head)} bytes; the download may have been cut short"
    for pattern, name in LOOKALIKES.items():
        if re.match(pattern, head, re.IGNORECASE):
            return f"looks like {name}"
    if text:
        return f"looks like plain text, beginning with {shown(head[:40].decode('latin-1'))}"
    return f"is no format that is read; it begins with the bytes {head[:8].hex(' ')}"
